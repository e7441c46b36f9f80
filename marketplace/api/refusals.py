"""What the door itself refuses, before any act is asked."""

from accounts.refusals import Refusal


class Malformed(Refusal):
    """The request cannot be read."""


class FieldsRefused(Refusal):
    """Some fields are not as they should be."""


class BodyTooLarge(Refusal):
    """The request is larger than this address takes."""


class WrongContentType(Refusal):
    """This address does not take that content type."""


class NotSignedIn(Refusal):
    """Sign in, or send a key: Authorization: Bearer ts_..."""


class KeyNotKnown(Refusal):
    """This key is not known, or no longer works."""


class CsrfFailed(Refusal):
    """The browser's CSRF token is missing or wrong."""


class NotAllowed(Refusal):
    """Your role or the scopes of your key do not allow this."""


class SecondFactorNeeded(Refusal):
    """This needs a second factor: set one up or sign in with it at /accounts/2fa/, then ask again."""


class NotFound(Refusal):
    """There is no such thing here."""


class MethodNotAllowed(Refusal):
    """This address does not know that method."""


class TooManyRequests(Refusal):
    """You are asking faster than is allowed; wait a little."""


class MailNotSent(Refusal):
    """The mail could not be sent, so nothing was done; try again in a while."""


class IdempotencyKeyMissing(Refusal):
    """Send an Idempotency-Key header, so that repeating the request cannot do it twice."""


class IdempotencyKeyInvalid(Refusal):
    """The Idempotency-Key has 1 to 200 visible ASCII characters."""


class IdempotencyKeyBusy(Refusal):
    """A request with this Idempotency-Key is being worked on; ask again in a moment."""


class IdempotencyKeyReused(Refusal):
    """This Idempotency-Key was used before with another request."""


class NotWhileImpersonating(Refusal):
    """This is closed while you look through somebody else's eyes, which is for reading and never for money or documents."""


class NotAWorker(Refusal):
    """You are not registered as a worker."""
