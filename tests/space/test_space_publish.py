"""The page as a Space: on the Hub of tests/support/hub_server.py, and as a folder."""

import pytest
import yaml
from support import starting
from support.hub_server import File, Repo, empty_hub, environment, strays  # noqa: F401

from hf_procedural.space import publish

NAME = "alice/procedural-explorer"


@pytest.fixture
def command(hub, tmp_path):
    def run(*words, token="hf_alice"):
        options = {"env": environment(hub, tmp_path / "home", token), "cwd": tmp_path}
        return starting.run("-m", "hf_procedural.cli", "space", *words, **options)

    return run


def front(readme: str) -> dict:
    return yaml.safe_load(readme.split("---\n")[1])


def test_a_space_is_published_once(hub, command, tmp_path):
    would = command("--publish", NAME, "--dry_run")
    assert "README.md, app.py, requirements.txt would go to alice/procedural-explorer" in would.stdout
    assert not hub.repos
    done = command("--publish", NAME)
    assert done.returncode == 0 and "the page is there" in done.stdout, done.stderr
    repo = hub.repos["spaces", NAME]
    assert repo.sdk == "gradio" and hub.commits("spaces", NAME) == ["Publish the page", "initial commit"]
    files = {name: content.decode() for name, content in hub.files("spaces", NAME).items()}
    metadata = front(files["README.md"])
    assert metadata["sdk"] == "gradio" and metadata["app_file"] == "app.py" and metadata["license"] == "apache-2.0"
    assert metadata["sdk_version"].startswith("6.") and "hf_procedural" in metadata["tags"]
    assert len(metadata["short_description"]) <= 60
    assert "hf-procedural[space]>=" in files["requirements.txt"]
    compile(files["app.py"], "app.py", "exec")
    again = command("--publish", NAME)
    assert "nothing to do" in again.stdout and len(hub.commits("spaces", NAME)) == 2
    assert "nothing to do" in command("--publish", NAME, "--dry_run").stdout
    assert strays(tmp_path / "home") == []


def test_what_others_wrote_stays(hub, command):
    readme = "---\ntitle: Mine\nsdk: gradio\ntags: [a]\ncolorFrom: red\n---\n\nMy words.\n"
    files = {"README.md": readme, "requirements.txt": "numpy==2.0", "notes.txt": "mine"}
    files = {name: File(text.encode()) for name, text in files.items()}
    hub.repos["spaces", NAME] = Repo("spaces", NAME, False, "alice", files, "gradio")
    assert command("--publish", NAME).returncode == 0
    after = {name: content.decode() for name, content in hub.files("spaces", NAME).items()}
    assert after["notes.txt"] == "mine" and "My words." in after["README.md"]
    assert after["requirements.txt"].startswith("numpy==2.0\n# hf_procedural: begin\n")
    metadata = front(after["README.md"])
    assert metadata["title"] == "Mine" and metadata["colorFrom"] == "red" and "a" in metadata["tags"]
    assert "nothing to do" in command("--publish", NAME).stdout


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"README.md": "---\nsdk: docker\n---\n"}, "is a Space of 'docker', not of gradio"),
        ({"app.py": "import gradio"}, "has an app.py of somebody else's"),
    ],
)
def test_a_space_of_somebody_else_is_left_alone(hub, command, files, message):
    files = {name: File(text.encode()) for name, text in files.items()}
    hub.repos["spaces", NAME] = Repo("spaces", NAME, False, "alice", files, "gradio")
    for more in ([], ["--dry_run"]):
        refused = command("--publish", NAME, *more)
        assert refused.returncode == 2 and message in refused.stderr and refused.stderr.count("\n") == 1
    assert len(hub.commits("spaces", NAME)) == 1


def test_errors_of_the_hub_are_one_line(hub, command):
    for name, token, message in (
        (NAME, None, "no Hugging Face token"),
        ("bob/explorer", "hf_alice", "may not write bob/explorer"),
        ("a b", "hf_alice", "a b"),
    ):
        refused = command("--publish", name, token=token)
        assert refused.returncode == 2 and message in refused.stderr and refused.stderr.count("\n") == 1
    assert not hub.repos


def test_a_push_that_somebody_came_before_is_made_again(hub, command):
    command("--publish", NAME)
    hub.repos["spaces", NAME].commit("main", "theirs", "", "bob", {})
    hub.fail("POST", "/commit/main", status=412)
    assert command("--publish", NAME).returncode == 0
    assert hub.commits("spaces", NAME)[:2] == ["Publish the page", "theirs"]


def test_a_folder_has_the_same_files(tmp_path):
    folder = tmp_path / "explorer"
    assert list(publish.would_write(folder)) == ["README.md", "app.py", "requirements.txt"] and not folder.exists()
    assert publish.write(folder) and not publish.write(folder)
    assert {file.name for file in folder.iterdir()} - {"_lock"} == set(publish.NAMES)
    (folder / "requirements.txt").write_text(
        "other\n"
        + (folder / "requirements.txt").read_text().replace("hf-procedural[space]", "hf-procedural")
        + "last\n"
    )
    assert publish.write(folder)
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert lines[0] == "other" and lines[-1] == "last" and sum("hf-procedural" in line for line in lines) == 1
