"""Userflow's REST endpoints (`apis/userflow.md`, section 4)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.simulation.calls import Answer, Json, json_answer
from connectors.simulation.faults import FaultRule
from connectors.simulation.gate import FAULTS_KEY
from connectors.userflow.simulator.environment import Environment
from connectors.userflow.simulator.errors import ErrorAnswer, error_body, invalid, unknown_id
from connectors.userflow.simulator.lists import ListQuery, list_body, list_query, page_of, unknown_cursor
from connectors.userflow.simulator.settings import UserflowSettings
from connectors.userflow.simulator.store import Entity, Kind
from connectors.userflow.simulator.webhooks import Subscription


@dataclass(frozen=True)
class Asked:
    """A call as its endpoint gets it: path parts decoded, the query's values by name, the JSON body."""

    path: str
    parts: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    body: Json
    faults: Sequence[FaultRule] = ()

    def one(self, name: str) -> str | None:
        """A query parameter's last value."""
        return self.query.get(name, [None])[-1]

    @property
    def expand(self) -> tuple[str, ...]:
        """The names to expand, in either spelling."""
        plain = [name for value in self.query.get("expand", ()) for name in value.split(",")]
        return (*plain, *self.query.get("expand[]", ()))


class UserflowApi:
    """Endpoints over an environment. `content` holds the seeded content, by collection name."""

    def __init__(
        self, environment: Environment, settings: Callable[[], UserflowSettings], content: Mapping[str, list[Json]]
    ) -> None:
        self._environment, self._settings, self._content = environment, settings, content

    def routes(self) -> list[Route]:
        """Every route."""
        return [
            _route("POST", "/users", self._write_user),
            _route("GET", "/users", self._users),
            _route("GET", "/users/{id}", self._read("user")),
            _route("DELETE", "/users/{id}", self._delete("user")),
            _route("POST", "/groups", self._write_group),
            _route("GET", "/groups", self._groups),
            _route("GET", "/groups/{id}", self._read("group")),
            _route("DELETE", "/groups/{id}", self._delete("group")),
            _route("DELETE", "/group_memberships", self._leave),
            _route("POST", "/events", self._track),
            _route("GET", "/event_definitions", self._event_definitions),
            _route("GET", "/attribute_definitions", self._attribute_definitions),
            _route("GET", "/content", self._content_list),
            _route("GET", "/content/{id}", self._content_one),
            _route("GET", "/content_versions", self._content_versions),
            _route("GET", "/content_sessions", self._content_sessions),
            _route("POST", "/webhook_subscriptions", self._subscribe),
            _route("GET", "/webhook_subscriptions", self._subscriptions),
            _route("GET", "/webhook_subscriptions/{id}", self._subscription),
            _route("PATCH", "/webhook_subscriptions/{id}", self._change_subscription),
            _route("DELETE", "/webhook_subscriptions/{id}", self._unsubscribe),
        ]

    # users and groups

    async def _write_user(self, asked: Asked) -> Answer:
        body, environment = asked.body, self._environment
        if "groups" in body and "memberships" in body:
            raise invalid("only one of `groups` and `memberships` may be given")
        _refuse_wished(asked)
        user, created = environment.upsert("user", body.get("id"), body.get("attributes") or {}, "api")
        listed = body.get("memberships") or [{"group": group} for group in body.get("groups") or ()]
        joined = {environment.join(user, one["group"], one.get("attributes") or {}, "api").group_id for one in listed}
        if body.get("prune_memberships"):
            for membership in environment.store.memberships_of(user):
                if membership.group_id not in joined:
                    del environment.store.memberships[user.entity_id, membership.group_id]
        return self._written(user, created)

    async def _write_group(self, asked: Asked) -> Answer:
        _refuse_wished(asked)
        changes = asked.body.get("attributes") or {}
        return self._written(*self._environment.upsert("group", asked.body.get("id"), changes, "api"))

    def _written(self, entity: Entity, created: bool) -> Answer:
        return json_answer(self._settings().create_status if created else 200, self._environment.wire(entity))

    def _read(self, kind: Kind) -> "Work":
        async def read(asked: Asked) -> Answer:
            found = self._environment.required(kind, asked.parts["id"])
            return json_answer(200, self._environment.wire(found, asked.expand))

        return read

    def _delete(self, kind: Kind) -> "Work":
        async def delete(asked: Asked) -> Answer:
            found = self._environment.required(kind, asked.parts["id"])
            self._environment.delete(found)
            return self._deleted(kind, found.entity_id)

        return delete

    async def _leave(self, asked: Asked) -> Answer:
        ids = (asked.one("user_id") or "", asked.one("group_id") or "")
        membership = self._environment.store.memberships.pop(ids, None)
        if membership is None:
            raise unknown_id(self._settings().unknown_id_status, "group membership", "/".join(ids))
        return self._deleted("group_membership", membership.membership_id)

    async def _users(self, asked: Asked) -> Answer:
        email, group_id = asked.one("email"), asked.one("group_id")
        store = self._environment.store
        if email is not None and self._settings().email_filter == "exact":
            return self._filtered(asked, store.by_email(email))
        if group_id is not None:
            members = [
                self._environment.required("user", user_id) for user_id, one in store.memberships if one == group_id
            ]
            return self._filtered(asked, members)
        return self._entities(asked, "user")

    async def _groups(self, asked: Asked) -> Answer:
        return self._entities(asked, "group")

    def _filtered(self, asked: Asked, entities: Sequence[Entity]) -> Answer:
        rows = [self._environment.wire(entity, asked.expand) for entity in entities]
        return self._page(asked, rows, "User")

    def _entities(self, asked: Asked, kind: Kind) -> Answer:
        query = list_query(asked.query, self._settings())
        store = self._environment.store
        if query.order_by not in ((), ("created_at",)):
            return self._page(
                asked, [self._environment.wire(one, asked.expand) for one in store.all(kind)], kind.capitalize()
            )
        # the usual crawl: avoid sorting everything for each page
        cursor = None if query.starting_after is None else store.find(kind, query.starting_after)
        if cursor is None and query.starting_after is not None:
            raise unknown_cursor(kind.capitalize(), query.starting_after)
        page: list[Json] = []
        for entity in store.all(kind, cursor):
            if len(page) == query.limit:
                return self._listed(asked, page, True, query)
            page.append(self._environment.wire(entity, asked.expand))
        return self._listed(asked, page, False, query)

    # events, definitions, content

    async def _track(self, asked: Asked) -> Answer:
        return json_answer(self._settings().create_status, self._environment.track(asked.body, "api"))

    async def _event_definitions(self, asked: Asked) -> Answer:
        return self._page(asked, list(self._environment.definitions.events.values()), "Event definition")

    async def _attribute_definitions(self, asked: Asked) -> Answer:
        scope = asked.one("scope")
        rows = [row for row in self._environment.definitions.attributes.values() if scope in (None, row["scope"])]
        return self._page(asked, rows, "Attribute definition")

    async def _content_list(self, asked: Asked) -> Answer:
        wanted = asked.one("type")
        rows = [row for row in self._content.get("content", ()) if wanted in (None, row["type"])]
        return self._page(asked, rows, "Content")

    async def _content_one(self, asked: Asked) -> Answer:
        for row in self._content.get("content", ()):
            if row["id"] == asked.parts["id"]:
                return json_answer(200, row)
        raise unknown_id(self._settings().unknown_id_status, "content", asked.parts["id"])

    async def _content_versions(self, asked: Asked) -> Answer:
        return self._by_content(asked, "content_versions", "Content version")

    async def _content_sessions(self, asked: Asked) -> Answer:
        if asked.one("content_id") is None and self._settings().sessions_need_content_id:
            raise ErrorAnswer(500, "internal_error", "Internal server error")
        return self._by_content(asked, "content_sessions", "Content session")

    def _by_content(self, asked: Asked, collection: str, what: str) -> Answer:
        content_id, user_id = asked.one("content_id"), asked.one("user_id")
        rows = [row for row in self._content.get(collection, ()) if content_id in (None, row["content_id"])]
        return self._page(asked, [row for row in rows if user_id in (None, row.get("user_id"))], what)

    # webhook subscriptions

    async def _subscribe(self, asked: Asked) -> Answer:
        url, topics = asked.body.get("url"), asked.body.get("topics")
        if not url or not topics:
            raise invalid("`url` and `topics` are required")
        made = self._environment.subscribe(url, topics)
        return json_answer(self._settings().create_status, made.wire(with_secret=True))

    async def _subscriptions(self, asked: Asked) -> Answer:
        shown = self._settings().secret_on_read
        rows = [one.wire(with_secret=shown) for one in self._environment.subscriptions.values()]
        return self._page(asked, rows, "Webhook subscription")

    async def _subscription(self, asked: Asked) -> Answer:
        return json_answer(200, self._required(asked).wire(with_secret=self._settings().secret_on_read))

    async def _change_subscription(self, asked: Asked) -> Answer:
        changed = self._environment.change_subscription(self._required(asked), asked.body)
        return json_answer(200, changed.wire(with_secret=self._settings().secret_on_read))

    async def _unsubscribe(self, asked: Asked) -> Answer:
        found = self._required(asked)
        del self._environment.subscriptions[found.subscription_id]
        return self._deleted("webhook_subscription", found.subscription_id)

    def _required(self, asked: Asked) -> Subscription:
        found = self._environment.subscriptions.get(asked.parts["id"])
        if found is None:
            raise unknown_id(self._settings().unknown_id_status, "webhook subscription", asked.parts["id"])
        return found

    # answers

    def _deleted(self, what: str, object_id: str) -> Answer:
        if self._settings().delete_status == 204:
            return Answer(204)
        return json_answer(200, {"id": object_id, "object": what, "deleted": True})

    def _page(self, asked: Asked, rows: Sequence[Json], what: str) -> Answer:
        query = list_query(asked.query, self._settings())
        return self._listed(asked, *page_of(rows, query, what), query)

    def _listed(self, asked: Asked, page: Sequence[Json], more: bool, query: ListQuery) -> Answer:
        return json_answer(200, list_body(page, more, asked.path, query, self._settings()))


Work = Callable[[Asked], Awaitable[Answer]]


def _route(method: str, path: str, work: Work) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            answer = await work(await _asked(request))
        except ErrorAnswer as refusal:
            answer = json_answer(refusal.status, error_body(refusal.status, refusal.message, refusal.code))
        except (KeyError, TypeError, AttributeError) as error:
            # a part missing from the body, or one of another shape
            answer = json_answer(400, error_body(400, f"invalid body: {error!r}"))
        return Response(answer.body, answer.status, dict(answer.headers))

    return Route(path, endpoint, methods=[method])


async def _asked(request: Request) -> Asked:
    parts = {name: unquote(value) for name, value in request.path_params.items()}
    query = parse_qs(request.url.query, keep_blank_values=True)
    try:
        body = await request.json() if await request.body() else {}
    except ValueError:
        raise invalid("the body is not JSON") from None
    if not isinstance(body, dict):
        raise invalid("the body is not an object")
    return Asked(request.scope["path"], parts, query, body, request.scope.get(FAULTS_KEY, ()))


def _refuse_wished(asked: Asked) -> None:
    for rule in asked.faults:
        if rule.action == "refuse_property" and rule.property in (asked.body.get("attributes") or {}):
            raise invalid(f"`attributes.{rule.property}`: refused")
