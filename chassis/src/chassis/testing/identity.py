"""An in-memory twin of auth-service's word on who somebody is."""

from chassis.errors import Unavailable
from chassis.identity import (
    ApiKey,
    Basic,
    CredentialRefused,
    Kind,
    Opaque,
    Principal,
    Session,
    WorkerSecret,
)


class KnownPrincipals:
    """Resolver and verifier in one: knows the principals that a test has added, each by its credentials.

    ``away = True`` behaves like an auth-service that does not answer. ``asked`` counts the questions.
    """

    def __init__(self) -> None:
        self._known: dict[Opaque, Principal] = {}
        self._tokens: dict[str, Principal] = {}
        self.away = False
        self.asked = 0

    def add_worker(self, worker_id: int, name: str = "worker", *, paused: bool = False) -> dict[str, str]:
        """Make a worker known and return the headers it sends."""
        secret = f"{worker_id:043d}="
        principal = Principal(Kind.WORKER, worker_id, name, created=1, version=1, paused=paused)
        self._known[WorkerSecret(worker_id, secret)] = principal
        return {"X-Worker-ID": str(worker_id), "X-Secret": secret}

    def add_account(self, account_id: int, name: str = "somebody", *, admin: bool = False) -> dict[str, str]:
        """Make an account known and return the headers it sends (a session's cookie)."""
        value = f"session-{account_id}"
        self._known[Session(value)] = Principal(
            Kind.ACCOUNT, account_id, name, created=1, version=1, admin=admin, tenant=str(account_id)
        )
        return {"Cookie": f"tt={value}"}

    def add_token(self, token: str, principal: Principal) -> dict[str, str]:
        """Make an access token known and return the header that carries it."""
        self._tokens[token] = principal
        return {"Authorization": f"Bearer {token}"}

    def forget(self, kind: Kind, number: int) -> None:
        """Make every credential of a principal invalid."""
        self._known = {
            credential: known for credential, known in self._known.items() if (known.kind, known.id) != (kind, number)
        }

    def resolve(self, credential: Opaque, address: str) -> Principal:
        """Return the principal as auth-service would (:class:`chassis.identity.Resolver`)."""
        self.asked += 1
        if self.away:
            raise Unavailable("auth-service")
        if credential in self._known:
            return self._known[credential]
        raise CredentialRefused(self._reason(credential))

    def verify(self, token: str) -> Principal:
        """Return the principal of an access token (:class:`chassis.identity.Verifier`)."""
        if token in self._tokens:
            return self._tokens[token]
        raise CredentialRefused("invalid token")

    def _reason(self, credential: Opaque) -> str:
        match credential:
            case WorkerSecret(worker_id, _):
                known = any(p.kind is Kind.WORKER and p.id == worker_id for p in self._known.values())
                return "invalid secret" if known else "worker id does not match any valid worker"
            case Session(_):
                return "not logged in"
            case ApiKey(_):
                return "invalid key"
            case Basic(_, _):
                return "Invalid username/password"
