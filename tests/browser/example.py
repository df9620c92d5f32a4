"""Fills a database with a small municipality, through the services, so that pages have something to show."""

from datetime import datetime, timedelta

import time_machine
from sqlmodel import Session, select

from app.access import service as access
from app.access.models import PersonIn
from app.access.rules import SYSTEM, Actor, Role
from app.catalog import crud, resources, shapes, supplier_shapes
from app.core import clock
from app.drills.models import Drill
from app.findings import service as findings
from app.findings import work
from app.findings.service import NewFinding, Title
from app.findings.shapes import FindingEdit
from app.plans import organisation
from app.plans import service as plans
from app.plans.content import MvoContent, PlanContent
from app.plans.evidence_shapes import ReviewIn
from app.plans.models import PlanVersion
from app.plans.mvo_shapes import MvoIn
from app.plans.service import NewProof
from app.plans.shapes import PlanIn
from app.playbooks import service as playbooks
from app.playbooks.models import PlaybookVersion
from app.runs.models import Run
from runners import registry

HOUR, DAY = 3600, 86_400


class Example:
    """The people, and what was made, by short names."""

    def __init__(self, session: Session) -> None:
        self.session, self.now = session, clock.now()
        self.anna = self._person("Anna de Vries", "anna@voorbeeld.nl", Role.PLAN_OWNER, Role.ADMINISTRATOR)
        self.mo = self._person("Mo Bakker", "mo@voorbeeld.nl", Role.APPROVER)
        self._person("Sanne Kaya", "sanne@voorbeeld.nl", Role.OPERATOR)

    def _person(self, name: str, email: str, *roles: Role) -> Actor:
        given = PersonIn(name=name, email=email, roles=list(roles))
        return access.as_actor(access.add_person(self.session, given, actor=SYSTEM, now=self.now))

    def row(self, resource: resources.Resource, data: object):
        return crud.create(self.session, resource, data, self.anna)

    def fill(self) -> "Example":
        with time_machine.travel(self.now - timedelta(days=70), tick=False):
            self._catalog()
        self._organisation()
        self._plans()
        self._findings()
        self._runs()
        self.session.flush()
        return self

    def _catalog(self) -> None:
        holding = self.row(resources.SUPPLIER, supplier_shapes.SupplierIn(name="Voorbeeld Holding B.V.", country="NL"))
        self.cloud = self.row(
            resources.SUPPLIER,
            supplier_shapes.SupplierIn(
                name="Kantoorcloud B.V.", country="NL", has_parent="yes", ultimate_parent=holding.ref
            ),
        )
        soft = self.row(
            resources.SUPPLIER,
            supplier_shapes.SupplierIn(
                name="Voorbeeldsoft B.V.",
                country="NL",
                watch_level="alert",
                watch_since=self.now.date(),
                watch_reason="De jaarcijfers komen te laat en twee directeuren vertrokken.",
            ),
        )
        identity = self._service("Aanmelden", "critical", 2 * HOUR, "ICT", "Iedereen meldt zich hiermee aan.")
        self.permits = self._service(
            "Vergunningenbalie", "critical", 4 * HOUR, "Ruimte", "Inwoners vragen hier een vergunning aan.", identity
        )
        self.benefits = self._service("Uitkeringen", "critical", 4 * HOUR, "Sociaal domein", "", identity)
        self.cases = self._service("Zaaksysteem", "important", 8 * HOUR, "ICT", "", identity)
        self._service("Afvalkalender", "other", 3 * DAY, "Ruimte", "")
        sites = [
            self.row(resources.SITE, shapes.SiteIn(name=name, country="NL", supplier=self.cloud.ref))
            for name in ("noord", "zuid")
        ]
        sides = [
            self.row(
                resources.ENVIRONMENT,
                shapes.EnvironmentIn(
                    name=f"Vergunningenbalie {site.name}", service=self.permits.ref, role=role, site=site.ref
                ),
            )
            for site, role in zip(sites, ("primary", "fallback"), strict=True)
        ]
        self.pair = self.row(
            resources.PAIR,
            shapes.PairIn(
                name="Vergunningenbalie", service=self.permits.ref, primary=sides[0].ref, fallback=sides[1].ref
            ),
        )
        link = self.row(
            resources.CHAIN_LINK,
            supplier_shapes.ChainLinkIn(service=self.permits.ref, supplier=soft.ref, role="Levert de software"),
        )
        assert link.rank == 1
        self.row(
            resources.CHAIN_LINK,
            supplier_shapes.ChainLinkIn(
                service=self.permits.ref, supplier=self.cloud.ref, recipient=soft.ref, role="Draait de servers"
            ),
        )
        self._contract(soft)
        for name, kind, access_word in (
            ("Broncode vergunningen", "software", "yes"),
            ("Back-up van de vergunningen", "backup_set", "yes"),
            ("Sleutels van de versleuteling", "key_material", "unknown"),
            ("Beheerder die het systeem kent", "knowledge_holder", "no"),
        ):
            self.row(
                resources.OBJECT,
                supplier_shapes.ObjectIn(
                    name=name,
                    kind=kind,
                    services=[self.permits.ref],
                    owner="R. Jansen" if access_word == "yes" else "",
                    location="kluis" if access_word == "yes" else "",
                    access_without_supplier=access_word,
                    verified_on=self.now.date() if kind == "software" else None,
                    supplier=soft.ref,
                    holder="supplier",
                ),
            )

    def _contract(self, supplier) -> None:
        """What was agreed about the permits, with two measures for when the supplier falls away."""
        contract = self.row(
            resources.CONTRACT,
            supplier_shapes.ContractIn(
                name="Vergunningensoftware 2024-2028",
                supplier=supplier.ref,
                services=[self.permits.ref],
                cost_cents=12_500_000,
                starts_on="2024-01-01",
                ends_on="2028-12-31",
                law="NL",
            ),
        )
        for kind, survives in (("escrow", "yes"), ("usage_rights", "disputed")):
            given = supplier_shapes.MeasureIn(
                contract=contract.ref, kind=kind, present="yes", survives_bankruptcy=survives, needs_supplier="no"
            )
            self.row(resources.MEASURE, given)

    def _service(self, name: str, criticality: str, rto: int, unit: str, text: str, *needs):
        return self.row(
            resources.SERVICE,
            shapes.ServiceIn(
                name=name,
                description=text,
                criticality=criticality,
                rto=rto,
                rpo=900,
                mtpd=4 * rto,
                mbco_number=40,
                mbco_unit="aanvragen per dag",
                unit=unit,
                process_owner="S. Kaya",
                depends_on=[each.ref for each in needs],
            ),
        )

    def _organisation(self) -> None:
        content = MvoContent.model_validate(
            {
                "obligations": ["Uitkeringen op tijd betalen"],
                "peopleAvailable": [{"role": "Baliemedewerker", "count": 3}],
                "functions": [
                    {"name": "Aanmelden en netwerk", "tier": 0, "mtpd": "PT4H"},
                    {
                        "name": "Uitkeringen betalen",
                        "tier": 1,
                        "mtpd": "P2D",
                        "mbco": 40,
                        "mbcoUnit": "betalingen per dag",
                        "services": [self.benefits.ref],
                        "people": [{"role": "Baliemedewerker", "count": 4}],
                        "facilities": [{"resource": "Werkplek", "number": 6, "unit": "stuks"}],
                    },
                ],
                "notInMvo": [{"name": "Afvalkalender", "reason": "Kan een maand wachten", "acceptedBy": "Directie"}],
            }
        )
        given = MvoIn(name="Gemeente Voorbeeld", content=content)
        organisation.add_mvo(self.session, given, actor=self.anna, now=self.now)

    def _plans(self) -> None:
        self.fallback = self._plan("Uitwijk vergunningen", "fallback", None, self.permits)
        for days, kind, level in ((20, "switchover", 5), (20, "way-back", 5), (12, "restore", 3)):
            self._proof(self.fallback, kind, level, "pass", days)
        self._proof(self.fallback, "hold", 5, "partial", 20)
        self.exit = self._plan("Noodexit vergunningen", "exit", "stressed", self.permits)
        self._proof(self.exit, "escrow-build", 3, "fail", 6)
        benefits = self._plan("Uitwijk uitkeringen", "fallback", None, self.benefits)
        claims = [each.key for each in plans.claims_of(self.session, self._approved(benefits).id)]
        plans.review(self.session, benefits, ReviewIn(claims=claims), actor=self.mo, now=self.now)
        given = PlanIn(name="Uitwijk zaaksysteem", kind="fallback", service=self.cases.ref, with_default_claims=True)
        self.draft, version = plans.add_plan(self.session, given, actor=self.anna, now=self.now)
        plans.submit(self.session, self.draft, version, reason="", actor=self.anna, now=self.now)
        plans.refresh(self.session, now=self.now, why="the example was made")

    def _approved(self, plan) -> PlanVersion:
        found = plans.approved_version(self.session, plan.id)
        assert found is not None
        return found

    def _plan(self, name: str, kind: str, mode: str | None, service):
        then = self.now - timedelta(days=60)
        content = PlanContent.model_validate(
            {
                "triggers": ["De dienst is langer dan een half uur weg"],
                "target": "De uitwijkkant in zuid",
                "contacts": [
                    {
                        "role": "Crisisleider",
                        "name": "A. de Vries",
                        "reach": "06 1234 5678",
                        "deputy": "M. Bakker",
                        "checkedOn": (self.now - timedelta(days=30)).date().isoformat(),
                    }
                ],
                "steps": [
                    {"id": "besluit", "title": "Besluiten", "estimate": "PT15M"},
                    {"id": "omzetten", "title": "Omzetten", "estimate": "PT30M", "needs": ["besluit"]},
                ],
                "playbooks": ["switch-sides"],
            }
        )
        given = PlanIn(name=name, kind=kind, mode=mode, service=service.ref, content=content, with_default_claims=True)
        plan, version = plans.add_plan(self.session, given, actor=self.anna, now=then)
        plans.submit(self.session, plan, version, reason="", actor=self.anna, now=then)
        plans.approve(self.session, plan, version, actor=self.mo, now=then)
        return plan

    def _proof(self, plan, claim: str, level: int, verdict: str, days: int) -> None:
        at = self.now - timedelta(days=days)
        plans.record_proof(
            self.session,
            NewProof(
                plan_id=plan.id,
                plan_major=1,
                claim_key=claim,
                level=level,
                verdict=verdict,
                at=at,
                reason=Title("Gezien op de uitwijkkant.", "Seen on the fallback side."),
                rto_ms=2_400,
                rpo_ms=0,
                without_supplier="yes",
            ),
            now=at,
        )

    def _findings(self) -> None:
        made = findings.open_finding(
            self.session,
            NewFinding(
                key="example:escrow",
                plan_id=self.exit.id,
                claim_key="escrow-build",
                object_ids=(),
                source="runner",
                cause="unknown-object",
                severity="high",
                title=Title("In het depot ontbreekt een bouwpakket", "The deposit lacks a build package"),
                description="De bouw stopte: hatchling staat niet in de wheelhouse.",
                level=3,
                service_id=self.permits.id,
            ),
            now=self.now - timedelta(days=6),
        )
        placed = FindingEdit(
            impact_now="high", control_now="hard", impact_after="high", control_after="easy", due_on=self.now.date()
        )
        work.change(self.session, made, placed.model_dump(exclude_unset=True), actor=self.anna)
        self.finding = made

    def _runs(self) -> None:
        playbooks.load_shipped(self.session)
        shipped = {row.name: row for row in self.session.exec(select(PlaybookVersion))}
        playbook = shipped["switch-sides"]
        shorter = playbook.text.replace("timeout: PT30M", "timeout: PT15M")
        self.draft_playbook = playbooks.submit(self.session, shorter, self.anna, registry=registry.load(), now=self.now)
        version = self._approved(self.fallback)
        drill = Drill(
            ref="DRL-001",
            title="Kwartaalwissel vergunningen",
            plan_id=self.fallback.id,
            plan_version_id=version.id,
            service_id=self.permits.id,
            playbook_id=playbook.id,
            mode="live",
            created_at=self.now,
        )
        self.session.add(drill)
        self.session.flush()
        for number, (days, verdict, rta) in enumerate(
            ((190, "failed", 19_000), (100, "partial", 9_000_000), (20, "passed", 2_400)), start=1
        ):
            self.session.add(self._run(drill, playbook, number, self.now - timedelta(days=days), verdict, rta))

    def _run(self, drill: Drill, playbook: PlaybookVersion, number: int, at: datetime, verdict: str, rta: int) -> Run:
        return Run(
            ref=f"RUN-{number:03d}",
            drill_id=drill.id,
            plan_id=self.fallback.id,
            plan_version_id=drill.plan_version_id,
            plan_major=1,
            service_id=self.permits.id,
            playbook_name=playbook.name,
            playbook_version_id=playbook.id,
            playbook_sha256=playbook.sha256,
            mode="live",
            digest="0" * 64,
            starter="system",
            state="completed" if verdict != "failed" else "failed",
            ended="completed" if verdict != "failed" else "failed",
            planned_at=at,
            started_at=at,
            ended_at=at + timedelta(minutes=6),
            verdict=verdict,
            rta_ms=rta,
            rpa_ms=0,
            created_at=at,
        )


def fill(session: Session) -> Example:
    """The example in an empty database."""
    assert session.exec(select(Drill)).first() is None
    return Example(session).fill()
