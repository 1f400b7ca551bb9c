"""Whose list a participant is on: assigned by name, handed over for a time, seen as mine, a colleague's or everybody's."""

from collections.abc import Iterable
from datetime import date, timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import BigIntegerField, Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow
from studies.access import memberships_of, require
from studies.models import Assignment, Center, Handover, Membership, Participant
from studies.quality import no_identity, queries
from studies.vocabulary import Role

HAND_OVER = "list.hand_over"
COORDINATING = (Role.COORDINATOR, Role.SITE_PI)
WHOSE = ("all", "mine", "covered")


def looked_after(rows: QuerySet[Participant]) -> QuerySet[Participant]:
    """Participants annotated with `carer`: the key of the person who looks after each."""
    newest = Assignment.objects.filter(participant=OuterRef("pk")).order_by("-pk").values("person")[:1]
    return rows.annotate(carer=Coalesce(Subquery(newest), F("enrolled_by"), output_field=BigIntegerField()))


def of_whom(rows: QuerySet[Participant], user: User, whose: str) -> QuerySet[Participant]:
    """The participants on one's own list, on the lists that colleagues handed over for today, or all."""
    if whose == "mine":
        return looked_after(rows).filter(carer=user.pk)
    if whose == "covered":
        held = in_force().filter(taker=user, center=OuterRef("center"), giver=OuterRef("carer"))
        return looked_after(rows).filter(Exists(held))
    return rows


def in_force(on: date | None = None) -> QuerySet[Handover]:
    """The handovers of a day (today)."""
    day = on or timezone.localdate()
    return Handover.objects.filter(since__lte=day, until__gte=day)


def colleagues(center: Center) -> QuerySet[User]:
    """Who coordinates at a center today."""
    day = timezone.localdate()
    held = Membership.objects.filter(center=center, role__in=COORDINATING, since__lte=day).exclude(until__lt=day)
    return User.objects.filter(pk__in=held.values("user"), is_active=True).order_by("username")


@transaction.atomic
def assign(*, participants: Iterable[Participant], person: User, by: User, note: str = "") -> list[Assignment]:
    """Put participants on a person's list. Raises ValidationError when he does not coordinate at their center."""
    listed = list(participants)
    no_identity.refuse(note=note)
    for center in {each.center for each in listed}:
        require(by, HAND_OVER, center)
        _check_coordinates(person, center)
    made = [Assignment(participant=each, person=person, note=note.strip(), assigned_at=timezone.now(), assigned_by=by) for each in listed]
    with audit.act(by=by, action="participant.assigned", reason=note.strip()):
        for row in made:
            save_checked(row)
    return made


@transaction.atomic
def hand_over(*, center: Center, giver: User, taker: User, since: date, until: date, note: str, by: User) -> Handover:
    """Give one's list at a center into a colleague's hands for a time; a site's investigator may do it for somebody.

    Raises ValidationError for days that cannot be, or a person who does not coordinate there.
    """
    require(by, HAND_OVER, center)
    if by != giver and not memberships_of(by).filter(role=Role.SITE_PI, center=center).exists():
        raise PermissionDenied(_("You hand over your own list; the site's investigator may do it for somebody else."))
    if until < timezone.localdate():
        raise ValidationError({"until": _("The last day is past.")})
    for person in (giver, taker):
        _check_coordinates(person, center)
    row = Handover(center=center, giver=giver, taker=taker, since=since, until=until, agreed_at=timezone.now(), agreed_by=by)
    row.note = queries.check_text(note, "note")
    with audit.act(by=by, action="list.handed_over", reason=row.note):
        save_checked(row)
    return row


@transaction.atomic
def take_back(*, handover: Handover, by: User) -> Handover:
    """End a handover with yesterday. Raises NotAllowedNow when it has ended; PermissionDenied unless giver, taker or investigator."""
    require(by, HAND_OVER, handover.center)
    row = Handover.objects.select_for_update(of=("self",)).get(pk=handover.pk)
    if by.pk not in (row.giver_id, row.taker_id) and not memberships_of(by).filter(role=Role.SITE_PI, center=row.center_id).exists():
        raise PermissionDenied(_("You hand over your own list; the site's investigator may do it for somebody else."))
    today = timezone.localdate()
    if row.until < today:
        raise NotAllowedNow(_("This handover has ended."))
    row.since, row.until = min(row.since, today - timedelta(days=1)), today - timedelta(days=1)
    with audit.act(by=by, action="list.taken_back"):
        save_checked(row)
    return row


def _check_coordinates(person: User, center: Center) -> None:
    if not colleagues(center).filter(pk=person.pk).exists():
        raise ValidationError({"taker": _("%(person)s does not coordinate at %(center)s.") % {"person": person, "center": center}})
