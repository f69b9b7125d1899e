import subprocess
import sys

import pytest
from release_analytics import api_server, bundle, deployment, resources
from release_analytics.files import read_json, write_json, write_text


@pytest.fixture
def api(tables, repaired):
    return api_server.Api(repaired, resources.exposed(tables, repaired), "secret")


def ask(api, target, method="GET", token="secret"):
    answer = api.answer(method, target, f"Bearer {token}")
    return answer.status, answer.body


def test_a_collection_is_paged_and_tells_its_total(api):
    status, body = ask(api, "/releases?limit=2&offset=1")
    assert status == 200
    assert [row["version"] for row in body["items"]] == ["9.0.1", "9.0.2"]
    assert body["total"] == 331


def test_a_collection_is_filtered(api):
    assert ask(api, "/releases?major=18")[1]["total"] == 2


def test_one_row_is_found_by_its_key(api):
    assert ask(api, "/majors/9.6")[1]["end_of_life_on"] == "2021-11-11"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/releases?limit=0", 400),
        ("/releases?limit=101", 400),
        ("/releases?limit=two", 400),
        ("/releases?limit=", 400),
        ("/releases?offset=-1", 400),
        ("/releases?offset=99999999999999999999", 400),
        ("/releases?major=%27", 400),
        ("/releases?recorded_by_email=a", 400),
        ("/releases/99.9", 404),
        ("/releases/..%2f..", 400),
        ("/nothing", 404),
        ("/releases/", 404),
    ],
)
def test_what_is_not_described_is_refused(api, target, status):
    answered, problem = ask(api, target)
    assert (answered, problem["status"]) == (status, status)


def test_another_method_is_refused(api):
    assert ask(api, "/releases", method="DELETE")[0] == 405


@pytest.mark.parametrize("token", ["", "wrong", "secret ", "sécret"])
def test_nothing_is_answered_without_the_token(api, token):
    assert ask(api, "/nothing", token=token)[0] == 401


def test_the_server_does_not_start_without_a_token(monkeypatch):
    monkeypatch.delenv(api_server.TOKEN_VARIABLE, raising=False)
    run = subprocess.run([sys.executable, api_server.__file__], capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 2
    assert api_server.TOKEN_VARIABLE in run.stderr


@pytest.fixture
def bundled(tmp_path, tables, repaired):
    file = write_json(tmp_path / "openapi-1.0.1.json", repaired)
    return bundle.write(tmp_path / "api", file, tables).parent


@pytest.fixture
def page(tmp_path):
    return write_text(tmp_path / "index.html", "<!doctype html>")


def test_a_bundle_carries_no_personal_data_and_the_same_input_gives_the_same_bytes(bundled, tmp_path, tables):
    assert "@slateboard" not in (bundled / "data.json").read_text()
    again = bundle.write(tmp_path / "again", tmp_path / "openapi-1.0.1.json", tables).parent
    assert (again / bundle.LIST).read_bytes() == (bundled / bundle.LIST).read_bytes()


def test_a_host_is_fit_for_a_deployment_or_says_why_not(tmp_path, monkeypatch):
    assert deployment.host_faults(tmp_path / "deployment") == []
    monkeypatch.setattr(deployment.os, "access", lambda *_: False)
    assert deployment.host_faults(tmp_path / "deployment") == ["its folder cannot be written to"]


def test_a_damaged_bundle_is_not_deployed(bundled, page, tmp_path):
    (bundled / "data.json").write_text("{}")
    with pytest.raises(ValueError, match=r"data\.json is not the file that was bundled"):
        deployment.install(bundled, page, tmp_path / "current")
    assert not (tmp_path / "current").exists()


def test_a_deployment_answers_as_described_and_can_be_repeated(bundled, page, tmp_path):
    deployment.install(bundled, page, tmp_path / "current")
    current = deployment.install(bundled, page, tmp_path / "current")
    checks = deployment.smoke_test(current / "api")
    assert [check for check in checks if check.faults] == []
    report = deployment.report(checks, description=read_json(current / "api" / "openapi.json"), files={})
    assert (report["verdict"], report["operations"]) == ("passed", 6)
    assert {check.expected for check in checks} == {"200", "400", "401", "404"}


def test_the_smoke_test_finds_an_answer_that_is_not_as_described(bundled, page, tmp_path):
    current = deployment.install(bundled, page, tmp_path / "current")
    tables = read_json(current / "api" / "data.json")
    tables["summary"][0]["as_of"] = "yesterday"
    write_json(current / "api" / "data.json", tables)
    faults = {check.request: check.faults for check in deployment.smoke_test(current / "api") if check.faults}
    assert faults == {"GET /summary": ("$.as_of: 'yesterday' is not a date",)}


def test_the_server_ends_with_whoever_started_it(bundled):
    process = subprocess.Popen(
        [sys.executable, str(bundled / "api_server.py"), "--port", "0", "--stop-with-parent"],
        env={api_server.TOKEN_VARIABLE: "secret"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
        process.stdin.close()
        assert process.wait(timeout=20) == 0
