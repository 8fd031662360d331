"""`${NAME}` in an integration file: where it may stand, what it stands for, and what a secret may be made of."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.integration_file.problems import Problem, below
from pipeline.integration_file.yaml_tree import UNREAD, Tree
from pipeline.secret_files import SecretFileUnusable, secret

SECRETS: Final = (
    "hubspot.app_secret",
    "hubspot.token",
    "hubspot.oauth.client_secret",
    "hubspot.oauth.refresh_token",
    "userflow.api_key",
)
SENT_AS_WRITTEN: Final = (*SECRETS, "hubspot.oauth.client_id")
"""Values that stand in a request's header or form."""

SENDABLE: Final = r"[!-~]{1,4096}"
VARIABLE: Final = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WITHOUT_BRACES: Final = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")
_SHOUTED: Final = re.compile(r"\$[A-Z][A-Z0-9_]*")  # a field of that name is possible, if unlikely
_TOKEN: Final = re.compile(r"(?:pat-[a-z]+[0-9]*-|ak_).*")
_BRACES: Final = "write `${NAME}`, or `$${` for the text"


@dataclass(slots=True)
class Filled:
    """The data with every variable replaced; `written`: what stands in the file, which alone may be shown.

    `unread`: paths whose value is refused already, or whose variable is not set and need not be.
    """

    data: Any
    problems: list[Problem]
    unread: set[str]
    written: dict[str, str] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)


def fill_in(tree: Tree, environment: Mapping[str, str], *, all_set: bool) -> Filled:
    """Replace `${NAME}` in the sections `hubspot` and `userflow`; `$${` is a literal `${`.

    Unless `all_set`, a variable that is not set is no problem: its value counts as unread.
    """
    filler = _Filler(tree, environment, all_set)
    filler.filled.data = filler.node(tree.data, "")
    return filler.filled


def _may_vary(path: str) -> bool:
    """Whether a variable may stand there: names and fields are shown, logged and kept, and it may hold a secret."""
    return path.startswith(("hubspot.", "userflow.")) and path != "userflow.environment"


class _Filler:
    def __init__(self, tree: Tree, environment: Mapping[str, str], all_set: bool) -> None:
        self.filled = Filled(None, list(tree.problems), set(tree.unread))
        self._problem = tree.positions.problem
        self._environment = environment
        self._all_set = all_set
        self._of_secrets = {name for path in SECRETS for name in _names(_at(tree.data, path))}

    def node(self, node: Any, path: str) -> Any:
        if isinstance(node, dict):
            return {key: self.node(value, below(path, key)) for key, value in node.items()}
        if isinstance(node, list):
            return [self.node(item, f"{path}[{index}]") for index, item in enumerate(node)]
        if not isinstance(node, str) or node == UNREAD:
            return node
        return self._text(node, path)

    def _text(self, text: str, path: str) -> str:
        bare = _WITHOUT_BRACES if _may_vary(path) else _SHOUTED
        if bare.fullmatch(text):
            fix = "write `${NAME}`" if _may_vary(path) else "write the value itself"
            return self._refuse(path, "a `$` without braces is no variable", fix)
        if "${" not in text:
            return self._checked(text, text, path)
        value = self._replaced(text, path)
        return value if value == UNREAD else self._checked(value, text, path)

    def _replaced(self, text: str, path: str) -> str:
        names = [reference[1] for reference in _REFERENCE.finditer(text) if reference[0] != "$${"]
        if any(not _NAME.fullmatch(name) for name in names) or _unclosed(text):
            # the text is not shown: a secret may have a brace in it
            return self._refuse(path, "`${` without the name of a variable", _BRACES)
        if names and not _may_vary(path):
            message = "a variable cannot stand here, where its value would be shown and kept"
            return self._refuse(path, message, "write the value itself; variables stand for what connects")
        shared = next((name for name in names if name in self._of_secrets), None)
        if shared is not None and path not in SECRETS:
            return self._refuse(path, f"the variable {shared} holds a secret, which would be shown here", "use another")
        try:
            values = {name: secret(name, self._environment) or "" for name in names}
        except SecretFileUnusable as error:
            if self._all_set:
                return self._refuse(path, error.what, error.fix)
            values = {}
        lacking = [name for name in names if not values.get(name)]
        for name in lacking if self._all_set else ():
            how = "empty" if name in self._environment else "not set"
            self._refuse(path, f"the environment variable {name} is {how}", f"set {name} before running this command")
        if lacking:
            self.filled.unread.add(path)
            return UNREAD
        self.filled.written[path] = text
        return _REFERENCE.sub(lambda one: "${" if one[0] == "$${" else values[one[1]], text)

    def _checked(self, value: str, written: str, path: str) -> str:
        """Refuses what cannot be sent; warns of a secret in clear. The value itself is never shown."""
        if path in SENT_AS_WRITTEN and value and not re.fullmatch(SENDABLE, value):
            return self._refuse(path, _unsendable(value), "copy it again from where it was made")
        if path not in SECRETS and path.startswith(("hubspot.", "userflow.")) and _TOKEN.fullmatch(value):
            return self._refuse(path, "a token or key stands here, where it would be shown", "move it to its own key")
        if path in SECRETS and value and value == written:
            fix = f"write `${{{path.rpartition('.')[2].upper()}}}` and set that variable"
            self.filled.warnings.append(self._problem(path, "a secret stands in the file in clear", fix))
        return value

    def _refuse(self, path: str, message: str, fix: str) -> str:
        self.filled.problems.append(self._problem(path, message, fix))
        self.filled.unread.add(path)
        return UNREAD


def _unsendable(value: str) -> str:
    if len(value) > 4096:
        return f"has {len(value)} characters, more than a header takes"
    position, character = next((at, one) for at, one in enumerate(value, 1) if not "!" <= one <= "~")
    kind = "whitespace" if character.isspace() else "no ASCII character" if character > "~" else "a control character"
    return f"its character {position} is {kind}, which no header can hold"


def _unclosed(text: str) -> bool:
    return any(one[0] != "$${" and not one[0].endswith("}") for one in _REFERENCE.finditer(text))


def _names(text: Any) -> Iterator[str]:
    if isinstance(text, str):
        yield from (one[1] for one in _REFERENCE.finditer(text) if one[1])


def _at(node: Any, path: str) -> Any:
    for key in path.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node
