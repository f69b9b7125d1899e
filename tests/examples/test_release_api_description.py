import json

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from release_analytics import api_description, resources, schema_check, security_rules
from release_analytics.charts import CHARTS


def test_the_description_is_valid_openapi(description, repaired):
    validate(description)
    validate(repaired)


def test_the_same_tables_give_the_same_bytes(tables, description):
    again = api_description.describe(tables, as_of="2025-11-13")
    assert json.dumps(again) == json.dumps(description)


def test_the_first_description_has_exactly_one_fault(description):
    (finding,) = security_rules.review(description)
    assert finding.rule == "no-personal-data"
    assert finding.pointer == "/components/schemas/Release/properties/recorded_by_email"
    assert finding.remedy == {"remove_field": {"schema": "Release", "field": "recorded_by_email"}}


def test_the_repaired_description_has_no_fault_and_a_new_version(description, repaired):
    assert security_rules.review(repaired) == []
    assert (description["info"]["version"], repaired["info"]["version"]) == ("1.0.0", "1.0.1")
    assert "recorded_by_email" not in json.dumps(repaired)


def test_a_repair_of_a_field_that_is_not_there_is_refused(repaired):
    finding = {"remedy": {"remove_field": {"schema": "Release", "field": "recorded_by_email"}}}
    with pytest.raises(ValueError, match="has no field recorded_by_email"):
        api_description.repair(repaired, [finding])


def test_a_repair_that_needs_a_person_is_refused(description):
    finding = {"rule": "bounded-pages", "pointer": "/paths", "remedy": {"advice": "declare `limit`"}}
    with pytest.raises(ValueError, match="no repair is known"):
        api_description.repair(description, [finding])


def _drop_security(description):
    description["security"] = []


def _allow_anonymous(description):
    description["paths"]["/summary"]["get"]["security"] = [{"token": []}, {}]


def _plain_server(description):
    description["servers"] = [{"url": "http://releases.example/api"}]


def _host_that_begins_like_loopback(description):
    description["servers"] = [{"url": "http://localhost.releases.example"}]


def _ip_address(description):
    description["components"]["schemas"]["Year"]["properties"]["visitor_ip"] = {"type": "string"}


def _unlimited_page(description):
    parameters = description["paths"]["/releases"]["get"]["parameters"]
    description["paths"]["/releases"]["get"]["parameters"] = [p for p in parameters if p["name"] != "limit"]


def _large_page(description):
    limit = next(p for p in description["paths"]["/majors"]["get"]["parameters"] if p["name"] == "limit")
    limit["schema"]["maximum"] = 10_000


def _undeclared_error(description):
    del description["paths"]["/majors/{major}"]["get"]["responses"]["404"]


def _endless_parameter(description):
    del description["paths"]["/releases/{version}"]["get"]["parameters"][0]["schema"]["pattern"]


def _open_object(description):
    del description["components"]["schemas"]["Major"]["additionalProperties"]


def _secret_in_address(description):
    description["components"]["securitySchemes"]["key"] = {"type": "apiKey", "in": "query", "name": "key"}


@pytest.mark.parametrize(
    ("harm", "rule"),
    [
        (_drop_security, "secured-operations"),
        (_allow_anonymous, "secured-operations"),
        (_plain_server, "encrypted-or-local-servers"),
        (_host_that_begins_like_loopback, "encrypted-or-local-servers"),
        (_ip_address, "no-personal-data"),
        (_unlimited_page, "bounded-pages"),
        (_large_page, "bounded-pages"),
        (_undeclared_error, "declared-errors"),
        (_endless_parameter, "bounded-parameters"),
        (_open_object, "closed-objects"),
        (_secret_in_address, "no-secrets-in-addresses"),
    ],
)
def test_every_rule_finds_what_it_is_there_for(repaired, harm, rule):
    harm(repaired)
    assert {finding.rule for finding in security_rules.review(repaired)} == {rule}


def test_only_described_fields_are_exposed(tables, repaired):
    exposed = resources.exposed(tables, repaired)
    assert set(exposed["releases"][0]) == {"version", "major", "minor", "released_on", "days_since_previous"}
    assert "@" not in json.dumps(exposed)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"minor": -1},
        {"minor": "1"},
        {"minor": True},
        {"major": "nine"},
        {"major": None},
        {"recorded_by_email": "a@b.example"},
    ],
)
def test_the_schema_check_agrees_with_a_complete_implementation(tables, repaired, change):
    row = resources.exposed(tables, repaired)["releases"][0] | change
    schema = repaired["components"]["schemas"]["Release"]
    page = {"items": [row], "total": 1}
    page_schema = {"$ref": "#/components/schemas/ReleasePage", "components": repaired["components"]}
    complete = not list(Draft202012Validator(schema).iter_errors(row))
    assert (not schema_check.violations(row, schema, repaired)) is complete
    assert Draft202012Validator(page_schema).is_valid(page) is complete
    assert (not schema_check.violations(page, page_schema | {"components": {}}, repaired)) is complete


def test_the_schema_check_refuses_what_is_no_date_and_what_is_missing(repaired):
    schema = repaired["components"]["schemas"]["Major"]
    found = schema_check.violations({"major": "9.0", "first_released_on": "2010-02-31"}, schema, repaired)
    assert "$.first_released_on: '2010-02-31' is not a date" in found
    assert "$: end_of_life_on is missing" in found


def test_the_schema_check_does_not_pass_over_keywords_that_it_does_not_know(repaired):
    with pytest.raises(ValueError, match="does not know oneOf"):
        schema_check.violations(1, {"oneOf": []}, repaired)


def test_a_page_has_at_most_as_many_rows_as_is_said(tables):
    description = api_description.describe(tables, as_of="2025-11-13", page_rows=20)
    validate(description)
    limits = [
        parameter["schema"]
        for _, _, operation in api_description.operations(description)
        for parameter in operation["parameters"]
        if parameter["name"] == "limit"
    ]
    assert {(limit["maximum"], limit["default"]) for limit in limits} == {(20, 20)}
    assert [finding.rule for finding in security_rules.review(description)] == ["no-personal-data"]


def test_what_a_repair_takes_away_is_a_breaking_change(description, repaired):
    assert api_description.contract_change(description, repaired) == {
        "endpoint": "/releases, /releases/{version}",
        "change_type": "breaking",
        "old_schema": "1.0.0",
        "new_schema": "1.0.1",
        "migration_guide": "do without Release.recorded_by_email",
    }
    same = api_description.contract_change(repaired, repaired)
    assert (same["change_type"], same["endpoint"]) == ("compatible", "")


def test_the_fields_that_the_api_must_keep_are_those_that_a_chart_needs(repaired):
    kept = api_description.kept_fields(CHARTS)
    assert "recorded_by_email" not in kept["releases"]
    offered = {
        one["x-table"]: one["properties"] for one in repaired["components"]["schemas"].values() if "x-table" in one
    }
    assert all(set(fields) <= set(offered[table]) for table, fields in kept.items())


def test_the_rules_answer_what_they_know_and_leave_the_rest_to_a_person():
    assert security_rules.advice("How many rows may one page have?") == "100"
    with pytest.raises(ValueError, match="for a person"):
        security_rules.advice("Which colour?")
