"""People from a file: every wrong row is reported before anybody is added, and the same file adds nobody twice."""

import json

import pytest

from core.cli.main import run
from core.errors import Invalid
from core.identity.people import members, people_file
from core.identity.people.links import PATH, holder_of
from core.identity.people.members import Grant

HEAD = "email,name,roles,facilities,states\n"
GOOD = (
    HEAD + "ann@example.org,Ann Ade,tracking_officer,Fac1;Fac2,\nben@example.org,Ben Bello,data_officer|viewer,,Lagos\n"
)


@pytest.fixture
def client(application, client_for, make_tenant):
    owner = make_tenant()
    client = client_for(application, owner.api_key)
    client.tenant = owner.ref
    for name in ("Fac1", "Fac2"):
        client.post("/v1/facilities", json={"datim_id": name, "name": name})
    return client


def send(client, content, **options):
    return client.post("/v1/people/file", json={"csv": content, **options})


def test_a_dry_run_says_what_would_happen_and_writes_nothing(client):
    answer = send(client, GOOD, dry_run=True)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["added"], [row["state"] for row in answer.json()["rows"]]) == (0, ["new", "new"])
    assert client.get("/v1/people").json()["total"] == 0


def test_people_are_added_with_roles_facilities_states_and_links_that_work(client):
    rows = send(client, GOOD).json()["rows"]
    assert [holder_of(row["link"]["path"].removeprefix(PATH)).email for row in rows] == [row["email"] for row in rows]
    ann, ben = client.get("/v1/people", params={"sort": "email"}).json()["items"]
    assert (ann["roles"], ann["facilities"], ann["states"]) == (["tracking_officer"], ["Fac1", "Fac2"], None)
    assert (ben["roles"], ben["facilities"], ben["states"]) == (["data_officer", "viewer"], None, ["Lagos"])


def test_the_column_assigned_only_says_who_reaches_assigned_patients_only(client):
    head = HEAD.replace("\n", ",assigned_only\n")
    content = head + "ann@example.org,Ann,tracking_officer,,,Yes\nben@example.org,Ben,tracking_officer,,,\n"
    assert send(client, content).json()["added"] == 2
    people = client.get("/v1/people", params={"sort": "email"}).json()["items"]
    assert [person["assigned_only"] for person in people] == [True, False]
    assert [row["state"] for row in send(client, content).json()["rows"]] == ["present", "present"]
    assert send(client, content.replace(",Yes", ",no")).json()["errors"][0]["field"] == "body.csv.line 2: email"
    wrong = send(client, content.replace(",Yes", ",perhaps")).json()["errors"]
    assert [error["field"] for error in wrong] == ["body.csv.line 2: assigned_only"]


def test_the_same_file_adds_nobody_twice_and_completes_what_was_cut_off(client):
    send(client, GOOD.rsplit("\n", 2)[0])
    second = send(client, GOOD).json()
    assert [(row["state"], row["link"] is not None) for row in second["rows"]] == [("present", False), ("new", True)]
    third = send(client, GOOD).json()
    assert (third["added"], third["present"]) == (0, 2)
    assert client.get("/v1/people").json()["total"] == 2


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("nobody,Ann,viewer,,", "email"),
        ("ann@example.org, ,viewer,,", "name"),
        ("ann@example.org,Ann,nobody,,", "roles"),
        ("ann@example.org,Ann,,,", "roles"),
        ("ann@example.org,Ann,platform_admin,,", "roles"),
        ("ann@example.org,Ann,viewer,Nowhere,", "facilities"),
        ("ben@example.org,Twice,viewer,,", "email"),
    ],
)
def test_a_wrong_row_is_told_by_line_and_column_and_nobody_is_added(client, row, column):
    answer = send(client, f"{HEAD}ben@example.org,Ben,viewer,,\n\n{row}\n")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"body.csv.line 4: {column}"
    assert client.get("/v1/people").json()["total"] == 0
    dry = send(client, f"{HEAD}ben@example.org,Ben,viewer,,\n\n{row}\n", dry_run=True).json()
    assert dry["wrong"] == 1
    assert dry["rows"][1]["problems"][0]["column"] == column


def test_who_is_here_with_other_roles_or_cannot_join_is_told(client, capsys):
    members.add_member(client.tenant, "ann@example.org", "Ann", Grant(["viewer"]), actor="test:1")
    assert run(["people", "add-operator", "ops-file@example.org", "--name", "Ops"]) == 0
    rows = send(client, f"{GOOD}ops-file@example.org,Ops,viewer,,\n", dry_run=True).json()["rows"]
    assert [row["state"] for row in rows] == ["wrong", "new", "wrong"]


def test_nobody_adds_people_who_may_do_more(client, application, client_for):
    from core.identity.keys import create_key

    key = create_key(client.tenant, name="few", permissions=["people.read", "people.write"]).plaintext
    few = client_for(application, key)
    assert send(few, GOOD).status_code == 422
    assert few.get("/v1/people").json()["total"] == 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "email,name\nann@example.org,Ann\n",
        "email,name,roles,phone\n",
        "email,e-mail,name,roles\n",
        HEAD + "a@example.org,A,viewer,,\n" * (people_file.MOST_ROWS + 1),
        HEAD + '"' + "x" * 200_000,
        "x" * (people_file.LONGEST + 1),
    ],
)
def test_a_file_that_is_no_list_of_people_is_rejected_as_a_whole(client, content):
    with pytest.raises(Invalid):
        people_file.check_file(client.tenant, content)
    assert send(client, content).status_code == 422


def test_semicolons_tabs_and_old_spreadsheets_are_read(client):
    text = "E-Mail;Name;Role;Facilities\nann@example.org;Aïcha;viewer;Fac1|Fac2\n"
    for data in (text.encode("cp1252"), text.encode("utf-8-sig"), text.replace(";", "\t").encode()):
        (row,) = people_file.check_file(client.tenant, people_file.decoded(data))
        assert (row.name, row.grant.facilities, row.state) == ("Aïcha", ["Fac1", "Fac2"], "new")


def test_a_column_gives_new_accounts_their_language(client):
    tag = client.tenant.slug
    content = f"email,name,roles,language\na@{tag}.example.org,Ann,viewer,PT\nb@{tag}.example.org,Ben,viewer,\n"
    assert send(client, content).json()["added"] == 2
    people = client.get("/v1/people", params={"sort": "email"}).json()["items"]
    assert [person["language"] for person in people] == ["pt", None]
    wrong = send(client, content.replace("PT", "Hausa"))
    assert wrong.json()["errors"][0]["field"] == "body.csv.line 2: language"


def test_the_command_checks_and_adds(client, tmp_path, capsys):
    file = tmp_path / "people.csv"
    file.write_text(GOOD, encoding="utf-8")
    command = ["people", "add-file", client.tenant.slug, str(file)]
    assert run([*command, "--dry-run"]) == 0
    assert "new" in capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert all(row["link"].startswith("/password/") for row in rows)
    file.write_text(GOOD.replace("Fac2", "Nowhere"), encoding="utf-8")
    assert run(command) == 1
    assert "line 2: facilities" in capsys.readouterr().err
