"""What a worker says of themself, and what only they and those who pay or verify them may know.

A profile names nobody: languages, country, time zone, education, device. Private facts do, and are kept sealed under the
person's own key (``accounts/vault.py``): no list, log or audit row ever holds them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from zoneinfo import available_timezones

from django.db import transaction

from accounts import vault
from accounts.models import PersonalData, Profile, SpokenLanguage, User, Worker
from accounts.queries import instant
from accounts.refusals import Fault, Refusal

LANGUAGES_MAX = 20
PRIVATE_FACTS: Mapping[str, int] = {"legal_name": 200, "birth_date": 10, "address": 500, "phone": 30}
"""The private facts there are, and how long each may be."""

# fmt: off
_COUNTRIES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC"
    " CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD"
    " GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH"
    " KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW"
    " MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC"
    " SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY"
    " UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
_LANGUAGE_CODES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo"
    " es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg"
    " ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn"
    " no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta"
    " te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
# fmt: on
COUNTRIES = frozenset(_COUNTRIES.split())
"""ISO 3166-1, two letters."""
_LANGUAGES = frozenset(_LANGUAGE_CODES.split())
_TAG = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|[0-9]{3}))?")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_OLDEST = date(1900, 1, 1)


class ProfileRefused(Refusal):
    """Some of this profile is not as it should be."""


class PrivateFactsRefused(Refusal):
    """Some of these private facts are not as they should be."""


@transaction.atomic
def save_profile(
    worker: Worker,
    *,
    country: str = "",
    time_zone: str = "",
    education: str = "",
    device: str = "",
    languages: Sequence[tuple[str, str]] = (),
    at: datetime | None = None,
) -> Profile:
    """Write down the worker's whole profile; what is left empty is not told.

    ``country`` is ISO 3166-1 (two letters), ``time_zone`` an IANA name, ``languages`` pairs of a BCP 47 tag (language,
    script, region) and a level. Tags and countries may be written in any case. Raises ProfileRefused with a fault for
    each wrong field.
    """
    country = country.strip().upper()
    spoken = [(language_tag(tag), level) for tag, level in languages]
    faults = [
        *_unless(not country or country in COUNTRIES, "/country", "is no country: send two letters, such as DE"),
        *_unless(not time_zone or is_time_zone(time_zone), "/time_zone", "is no time zone: send such as Europe/Berlin"),
        *_unless(
            education in {"", *Profile.Education.values}, "/education", f"is none of {_listed(Profile.Education)}"
        ),
        *_unless(device in {"", *Profile.Device.values}, "/device", f"is none of {_listed(Profile.Device)}"),
        *_language_faults(spoken),
    ]
    if faults:
        raise ProfileRefused(faults=faults)
    Worker.objects.select_for_update(no_key=True, of=("self",)).get(pk=worker.pk)  # of two at once, one after the other
    facts = {"country": country, "time_zone": time_zone, "education": education, "device": device}
    profile, _ = Profile.objects.update_or_create(worker=worker, defaults={**facts, "changed_at": instant(at)})
    SpokenLanguage.objects.filter(worker=worker).delete()
    SpokenLanguage.objects.bulk_create(
        [SpokenLanguage(worker=worker, language=tag or "", level=level) for tag, level in spoken]
    )
    return profile


def profile_of(worker: Worker) -> Profile:
    """The worker's profile; an empty one, not stored, for who never wrote any."""
    return Profile.objects.filter(worker=worker).first() or Profile(worker=worker)


def languages_of(worker: Worker) -> list[tuple[str, str]]:
    """The worker's languages and levels, by tag."""
    return list(SpokenLanguage.objects.filter(worker=worker).order_by("language").values_list("language", "level"))


def save_private(user: User, facts: Mapping[str, str], *, at: datetime | None = None) -> None:
    """Seal the user's private facts in place of those kept before; what is empty is forgotten.

    Known are ``legal_name``, ``birth_date`` (YYYY-MM-DD), ``address`` (lines) and ``phone`` (+ and digits).
    Raises PrivateFactsRefused with a fault for each wrong one.
    """
    now = instant(at)
    told = {name: value.strip() for name, value in facts.items() if value.strip()}
    faults = _private_faults(told, now.date())
    if faults:
        raise PrivateFactsRefused(faults=faults)
    sealed = vault.seal_json(user.pk, told, about=private_box(user.pk))
    PersonalData.objects.update_or_create(user=user, defaults={"sealed": sealed, "changed_at": now})


def private_of(user: User) -> dict[str, str]:
    """The user's private facts, opened; empty for who told none. Raises vault.PersonErased."""
    kept = PersonalData.objects.filter(user=user).values_list("sealed", flat=True).first()
    return {} if kept is None else vault.unseal_json(user.pk, bytes(kept), about=private_box(user.pk))


def private_box(user_id: int) -> str:
    """What the box of somebody's private facts is about, as the vault asks."""
    return f"personal:{user_id}"


def language_tag(text: str) -> str | None:
    """A BCP 47 tag of language, script and region as it is written properly (``pt-BR``); None for what is none."""
    found = _TAG.fullmatch(text.strip())
    if found is None:
        return None
    language, script, region = found[1].lower(), (found[2] or "").title(), (found[3] or "").upper()
    if len(language) == 2 and language not in _LANGUAGES:
        return None
    if len(region) == 2 and region not in COUNTRIES:
        return None
    return "-".join(part for part in (language, script, region) if part)


def is_time_zone(name: str) -> bool:
    """Whether this is an IANA time zone; by its form alone where this machine has no list of them."""
    known = _zones()
    return name in known if known else _ZONE.fullmatch(name) is not None


def time_zones() -> list[str]:
    """The names to choose from: places, not the many names of one offset; empty where this machine has no list."""
    return sorted(name for name in _zones() if "/" in name and not name.startswith(("Etc/", "posix/", "right/")))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _language_faults(spoken: Sequence[tuple[str | None, str]]) -> list[Fault]:
    if len(spoken) > LANGUAGES_MAX:
        return [Fault("/languages", f"are more than {LANGUAGES_MAX}")]
    seen: set[str] = set()
    faults = []
    for place, (tag, level) in enumerate(spoken):
        faults += _unless(tag is not None, f"/languages/{place}/language", "is no language: send such as en or pt-BR")
        faults += _unless(tag not in seen, f"/languages/{place}/language", "is named twice")
        known = level in SpokenLanguage.Level.values
        faults += _unless(known, f"/languages/{place}/level", f"is none of {_listed(SpokenLanguage.Level)}")
        seen |= {tag} if tag else set()
    return faults


def _private_faults(facts: Mapping[str, str], today: date) -> list[Fault]:
    faults = [
        Fault(f"/{name[:60]}", f"is not known here; known are {', '.join(PRIVATE_FACTS)}")
        for name in facts
        if name not in PRIVATE_FACTS
    ]
    for name, most in PRIVATE_FACTS.items():
        value = facts.get(name, "")
        lines = name == "address"
        shown = all(letter.isprintable() or (lines and letter in "\r\n") for letter in value)
        faults += _unless(
            len(value) <= most and shown, f"/{name}", f"has 1 to {most} letters, all of which can be seen"
        )
    born = facts.get("birth_date", "")
    faults += _unless(not born or _is_birth_date(born, today), "/birth_date", "is no day of birth: send YYYY-MM-DD")
    phone = facts.get("phone", "")
    faults += _unless(
        not phone or _PHONE.fullmatch(re.sub(r"[\s()./-]", "", phone)) is not None,
        "/phone",
        "is no number to call from abroad: send such as +49 30 1234567",
    )
    return faults


def _is_birth_date(text: str, today: date) -> bool:
    try:
        return len(text) == 10 and _OLDEST <= date.fromisoformat(text) < today
    except ValueError:
        return False


def _unless(right: bool, pointer: str, detail: str) -> list[Fault]:  # noqa: FBT001  read aloud: a fault unless it is right
    return [] if right else [Fault(pointer, detail)]


def _listed(choices: type[Profile.Education | Profile.Device | SpokenLanguage.Level]) -> str:
    return ", ".join(choices.values)
