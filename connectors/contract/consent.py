"""The contract of systems where people grant access in a browser: a code comes back, and is exchanged once."""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ConsentCode:
    """What a code is exchanged with: the code, PKCE's verifier where one was used, the address that it came back to."""

    code: str = field(repr=False)
    verifier: str | None = field(repr=False)
    redirect_uri: str

    def as_text(self) -> str:
        """For a seal."""
        return json.dumps([self.code, self.verifier, self.redirect_uri])

    @classmethod
    def of_text(cls, text: str) -> "ConsentCode":
        """What `as_text` gave."""
        code, verifier, redirect_uri = json.loads(text)
        return cls(code, verifier, redirect_uri)


@dataclass(frozen=True, slots=True)
class GrantedAccess:
    """Access as the system granted it; `account` None and `scopes` empty where it did not say."""

    refresh_token: str = field(repr=False)
    account: str | None = None
    scopes: tuple[str, ...] = ()
