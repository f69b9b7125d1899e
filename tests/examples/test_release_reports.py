import pytest
from release_analytics import reports
from release_analytics.charts import CHARTS

REVIEW = {
    "approved": {"path": "specs/openapi-1.0.1.json", "sha256": "ab" * 32},
    "rules": ["one", "two"],
    "repaired": [{"message": "Release.secret exposes personal data", "pointer": "/x/properties/secret"}],
}
DEPLOYMENT = {"api_version": "1.0.1", "verdict": "passed", "operations": 6, "checks": [{}, {}, {}]}
DECISION = reports.Decided(agent="cto", text="Serve one page", rationale="It opens without a server")
PAGE = reports.Produced(reference="dashboard/dashboard", summary="One static page")


def faults(**changes):
    given = {
        "review": REVIEW,
        "deployment": DEPLOYMENT,
        "deployed_description_sha256": "ab" * 32,
        "page": f"<p>{'ab' * 32}</p>",
    }
    return reports.unity_faults(**(given | changes))


def test_parts_that_rest_on_one_description_belong_together():
    assert faults() == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"deployed_description_sha256": "cd" * 32}, "the deployed API has another description than the approved one"),
        ({"page": "<p></p>"}, "the dashboard was built from another description than the approved one"),
        ({"page": f"{'ab' * 32} secret"}, "the page shows secret"),
        ({"deployment": DEPLOYMENT | {"verdict": "failed"}}, "the smoke test did not pass"),
    ],
)
def test_parts_that_do_not_belong_together_are_named(changes, fault):
    assert faults(**changes) == [fault]


def test_the_changelog_tells_what_was_made_found_and_decided(repaired):
    entry = reports.changelog(
        review=REVIEW, deployment=DEPLOYMENT, description=repaired, artifacts=[PAGE], decisions=[DECISION]
    )
    assert "## 1.0.1" in entry
    assert "`GET /releases/{version}`" in entry
    assert "repaired before release: Release.secret exposes personal data." in entry
    assert "- `dashboard/dashboard`: One static page" in entry
    assert "- Serve one page (cto): It opens without a server" in entry


def test_the_changelog_has_no_empty_sections(repaired):
    review = REVIEW | {"repaired": []}
    entry = reports.changelog(review=review, deployment=DEPLOYMENT, description=repaired, artifacts=[], decisions=[])
    assert "### Security" not in entry
    assert "Decisions" not in entry
    assert "Artifacts" not in entry


def test_the_plan_names_every_table_and_every_needed_field(tables):
    plan = reports.plan(tables, CHARTS, [DECISION])
    assert all(f"| {name} |" in plan for name in tables)
    assert "releases.days_since_previous" in plan


def test_the_technical_report_names_the_description():
    report = reports.technical_report(review=REVIEW, deployment=DEPLOYMENT, artifacts=[PAGE], decisions=[])
    assert "ab" * 32 in report
