"""Valid examples of every kind of resource: all that the conformance tests have to be told about it.

A kind that has no example here fails the suite. What to write is a class below:

    @example("standards.transparency/Standard")
    class Standard(Example):
        def least(self, world):          # the required fields, and what a rule asks for beside them
            return {"designation": unique()}

and where they apply
    change(world)     a field that an update may change, with another value than `least` gives it
    full(world, all)  `all` has every field filled by its annotations; make it obey the rules
    base(world)       the record that others refer to, or stand below; `least` unless overridden
    STEPS             of each custom method: how to make a resource that allows it, and the request's fields
    hidden(world)     name of a resource that its `visible_when` hides from an outsider
References are names: `world.base("certification.transparency/Scheme")`.
"""

import datetime
import itertools

EXAMPLES = {}
_numbers = itertools.count(1)

FORM = {"COUNTRY": "BE", "LANGUAGE": "en", "TIME_ZONE": "Europe/Brussels", "SHA256": "0f" * 32,
        "URI": "https://example.org/a", "UUID4": "0b2f9fd6-22b6-4f0e-9f4a-6a6d1b1f8c11", "EMAIL": "a@example.org",
        "MEDIA_TYPE": "application/pdf"}


def example(resource_type):
    def register(made):
        EXAMPLES[resource_type] = made()
        return made
    return register


def unique(stem="t"):
    """A text of its own that is also an id."""
    return f"{stem}{next(_numbers)}-x"


def day(year, month=0, number=0):
    return {"year": year, "month": month, "day": number}


class Example:
    """What holds where a kind says nothing else."""

    STEPS = {}
    # Who sees nothing hidden, where that is not the public or any other caller.
    outsider = None

    def least(self, world):
        raise NotImplementedError

    def base(self, world):
        return self.least(world)

    def parent(self, world, kind):
        """Name of the parent to create below."""
        return world.base_of_pattern(kind.parent_pattern)

    def full(self, world, everything):
        return everything

    def change(self, world):
        """(field, another value)."""
        field, value = next((f, v) for f, v in self.least(world).items() if isinstance(v, str))
        return field, value + " changed"

    def hidden(self, world):
        raise NotImplementedError


# ---- certification ----

@example("certification.transparency/Scheme")
class Scheme(Example):
    def least(self, world):
        return {"title": unique()}

    def base(self, world):
        return {"title": "Base", "levels": [{"code": "L1"}, {"code": "L2"}], "rules": {"augmentations_allowed": True}}

    def full(self, world, everything):
        # The longest suspension with extensions is not below the longest without.
        everything["rules"]["longest_suspension"] = {"months": 1}
        everything["rules"]["longest_extended_suspension"] = {"months": 2}
        return everything


@example("certification.transparency/Body")
class Body(Example):
    def least(self, world):
        return {"display_name": unique()}

    def base(self, world):
        return {"display_name": "Base", "roles": [1, 2, 3]}


@example("certification.transparency/Product")
class Product(Example):
    def least(self, world):
        return {"display_name": unique()}

    def base(self, world):
        return {"display_name": "Base", "versions": [{"version": "1.0"}, {"version": "2.0"}]}


@example("certification.transparency/ManagementSystem")
class ManagementSystem(Example):
    def least(self, world):
        return {"display_name": unique()}


def application(world):
    """A certificate that is applied for, and decided here."""
    return world.make("Certificate", scheme=world.base("certification.transparency/Scheme"),
                      subjects=[{"service": "S"}, {"service": "T"}],
                      certification_body=world.base("certification.transparency/Body")).name


def evaluated(world):
    name = application(world)
    world.do("StartCertificateEvaluation", name=name)
    return name


def issued(world):
    name = evaluated(world)
    world.do("IssueCertificate", name=name, without_expiry=True)
    return name


def suspended(world):
    name = issued(world)
    world.do("SuspendCertificate", name=name, reason="for a while")
    return name


def suspended_extendably(world):
    scheme = world.make("Scheme", title=unique(), rules={
        "longest_suspension": {"days": 10}, "longest_extended_suspension": {"days": 100}}).name
    name = world.make("Certificate", scheme=scheme, subjects=[{"service": "S"}],
                      certification_body=world.base("certification.transparency/Body")).name
    world.do("StartCertificateEvaluation", name=name)
    world.do("IssueCertificate", name=name, without_expiry=True)
    world.do("SuspendCertificate", name=name, reason="for a while")
    return name


def soon():
    date = datetime.date.today() + datetime.timedelta(days=30)
    return day(date.year, date.month, date.day)


@example("certification.transparency/Certificate")
class Certificate(Example):
    STEPS = {
        "StartCertificateEvaluation": (application, {}),
        "IssueCertificate": (evaluated, {"without_expiry": True}),
        "RejectCertificate": (evaluated, {"reason": "not granted"}),
        "SuspendCertificate": (issued, {"reason": "for a while"}),
        "ReinstateCertificate": (suspended, {}),
        "ExtendCertificateSuspension": (suspended_extendably, {"reason": "longer", "suspended_until": soon()}),
        "WithdrawCertificate": (issued, {"reason": "taken back"}),
        "ReduceCertificateScope": (issued, {"reason": "less", "removed_subjects": [{"service": "S"}]}),
        "CorrectCertificate": (evaluated, {"reason": "slip", "corrections": [{"step_number": 2}]}),
    }

    def least(self, world):
        return {"scheme": world.base("certification.transparency/Scheme"), "subjects": [{"service": "S"}],
                "recorded_not_decided": True}

    def change(self, world):
        return "certificate_number", unique()

    def full(self, world, everything):
        everything["level"] = "L1"
        everything["subjects"] = [
            {"product": {"product": world.base("certification.transparency/Product"), "version": "1.0"}},
            {"service": "S"}, {"site": {"display_name": "Site", "country": "BE"}},
            {"management_system": world.base("certification.transparency/ManagementSystem")}]
        everything["predecessor"] = world.make("Certificate", **self.least(world)).name
        everything["initial_steps"] = [{"kind": 3, "effective_date": day(2019, 5), "decision_date": day(2019, 4, 30),
                                        "last_valid_date": day(2039), "reason": "granted"}]
        return everything

    def hidden(self, world):
        return application(world)


# ---- standards ----

@example("standards.transparency/Organization")
class Organization(Example):
    def least(self, world):
        return {"display_name": unique()}


def membership(world, **fields):
    return world.make("Membership", legal_entity=unique(), **fields).name


@example("standards.transparency/Membership")
class Membership(Example):
    STEPS = {
        "ActivateMembership": (membership, {"date": day(2020, 1, 1)}),
        "LapseMembership": (lambda world: membership(world, period={"from": day(2019)}), {"date": day(2020, 1, 1)}),
        "LeaveMembership": (lambda world: membership(world, period={"from": day(2019)}), {"date": day(2020, 1, 1)}),
    }

    def least(self, world):
        return {"legal_entity": unique()}

    def full(self, world, everything):
        # Its partner is another organization than its own; its dates follow each other.
        everything["partner"] = world.make("Organization", display_name="Partner").name
        everything["application_date"] = day(2018)
        return everything


@example("standards.transparency/Standard")
class Standard(Example):
    def least(self, world):
        return {"designation": unique()}

    def full(self, world, everything):
        everything["status"] = 3  # SUPERSEDED: it has a successor
        return everything


def draft(world):
    return world.make("Publication", title=unique()).name


def published(world):
    name = draft(world)
    world.do("PublishPublication", name=name)
    return name


@example("standards.transparency/Publication")
class Publication(Example):
    STEPS = {"PublishPublication": (draft, {}), "RetirePublication": (published, {})}

    def least(self, world):
        return {"title": unique()}

    def hidden(self, world):
        return draft(world)


@example("standards.transparency/Commitment")
class Commitment(Example):
    STEPS = {"EndCommitment": (lambda world: world.make("Commitment", initiative=unique()).name,
                               {"date": day(2024, 6)})}

    def least(self, world):
        return {"initiative": unique()}


# ---- centre ----

@example("centre.transparency/Centre")
class Centre(Example):
    def least(self, world):
        return {"display_name": unique(), "country": "BE", "time_zone": "Etc/UTC"}

    def base(self, world):
        # Where it is about eleven now, so that a booking in an hour is one of today.
        ahead = 11 - datetime.datetime.now(datetime.timezone.utc).hour
        return {"display_name": "Base", "country": "BE", "time_zone": f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT",
                "weekly_opening_hours": [{"day": number, "closes": {"hours": 24}} for number in range(1, 8)],
                "booking_policy": {"hold_time": {"seconds": 6 * 86400}, "approval_required_for": [5]}}

    def full(self, world, everything):
        everything["weekly_opening_hours"] = [{"day": 1, "opens": {"hours": 9, "minutes": 30}, "closes": {"hours": 17}}]
        return everything


@example("centre.transparency/Space")
class Space(Example):
    def least(self, world):
        return {"display_name": unique(), "category": 2, "occupancy": 1, "capacity": 4}

    def base(self, world):
        return {"display_name": "Base", "category": 2, "occupancy": 2, "capacity": 10000}


def booked_in(days, hours=0):
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days, hours=hours)
    return start.replace(minute=0, second=0, microsecond=0)


def timestamp(instant):
    return {"seconds": int(instant.timestamp())}


def booking(world, **fields):
    """A held booking of one person in the large hall."""
    return world.make("Booking", **{**EXAMPLES["centre.transparency/Booking"].least(world), **fields}).name


def requested(world):
    name = booking(world, purpose=5)
    world.do("RequestBooking", name=name)
    return name


def confirmed(world):
    # Today, so that its party can be checked in.
    name = booking(world, start_time=timestamp(booked_in(0, 1) + datetime.timedelta(minutes=5)),
                   end_time=timestamp(booked_in(0, 2) + datetime.timedelta(minutes=5)))
    world.do("RequestBooking", name=name)
    return name


@example("centre.transparency/Booking")
class Booking(Example):
    outsider = "bob"
    STEPS = {
        "RequestBooking": (booking, {}),
        "ApproveBooking": (requested, {}),
        "DeclineBooking": (requested, {}),
        "CancelBooking": (booking, {}),
        "CheckInBooking": (confirmed, {}),
        "EraseBookingContact": (lambda world: booking(world, contact={"display_name": "Somebody"}), {}),
    }

    def least(self, world):
        return {"purpose": 2, "spaces": [world.base("centre.transparency/Space")],
                "start_time": timestamp(booked_in(20)), "end_time": timestamp(booked_in(20, 1)),
                "party": {"category": 2, "size": 1}}

    def base(self, world):
        return {**self.least(world), "start_time": timestamp(booked_in(40)), "end_time": timestamp(booked_in(40, 1)),
                "party": {"category": 2, "size": 9000}}

    def change(self, world):
        return "party", {"organization": unique(), "category": 3, "size": 1}

    def full(self, world, everything):
        return {**everything, **self.least(world), "party": {"organization": "O", "category": 2, "size": 1}}

    def hidden(self, world):
        return booking(world)


@example("centre.transparency/Visitor")
class Visitor(Example):
    outsider = "bob"
    STEPS = {"EraseVisitor": (lambda world: world.make("Visitor", category=2, display_name="Somebody").name, {})}

    def least(self, world):
        return {"category": 2}

    def change(self, world):
        return "category", 3 + next(_numbers) % 6

    def hidden(self, world):
        return world.make("Visitor", category=2).name
