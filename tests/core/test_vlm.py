"""Vision-language models as policies, against a server on the loopback interface."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.errors import UsageError
from bcannot_core.evaluation.tasks import TaskEvaluation, evaluate_task
from bcannot_core.evaluation.vlm.client import KEY_VARIABLE, ChatClient, Endpoint, VlmError
from bcannot_core.evaluation.vlm.parsing import parse_click
from bcannot_core.evaluation.vlm.policy import VlmActors, VlmPolicy, endpoint_of

KEY = "sk-very-secret-0123456789"
SIZE = (426, 436)
FRAME = np.full((436, 426, 3), 90, np.uint8)
Answer = tuple[int, Any, dict[str, str]]


def chat(text: str | None) -> Answer:
    usage = {"prompt_tokens": 100, "completion_tokens": 7}
    return 200, {"choices": [{"message": {"content": text}}], "usage": usage}, {}


class QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that have gone."""

    def handle_error(self, *_args: Any) -> None:
        pass


class FakeServer:
    """Answers chat requests, one answer after the other, the last one for ever."""

    def __init__(self, answer: Callable[[dict[str, Any]], Answer] | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[Answer] = [chat('{"x": 5, "y": 6}')]
        self.answer = answer
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append(body)
                server.headers.append(dict(self.headers.items()))
                server.paths.append(self.path)
                status, content, headers = server.next(body)
                raw = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_args: Any) -> None:
                pass

        self.http = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def next(self, body: dict[str, Any]) -> Answer:
        if self.answer is not None:
            return self.answer(body)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fake = FakeServer()
    yield fake
    fake.http.shutdown()
    fake.http.server_close()


def client_of(server: FakeServer, waits: list[float] | None = None, **options: Any) -> ChatClient:
    endpoint = Endpoint("seer", server.url, **{"timeout_s": 5.0, **options})
    return ChatClient(endpoint, sleep=(waits if waits is not None else []).append)


# --------------------------------------------------------------------------------------- asking


def test_the_model_sees_the_task_the_screenshot_and_what_went_before(server: FakeServer) -> None:
    policy = VlmPolicy(client_of(server), "colored_dot_tracking")
    policy.reset()
    dark = np.zeros_like(FRAME)
    assert policy.act(dark) == (5, 6)
    assert policy.act(FRAME) == (5, 6)
    first, second = server.requests
    assert server.paths == ["/v1/chat/completions"] * 2
    assert first["model"] == "seer" and first["temperature"] == 0
    system = first["messages"][0]["content"]
    assert "dots" in system and "426 pixels wide, 436 high" in system
    roles = [message["role"] for message in second["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert json.loads(second["messages"][2]["content"]) == {"x": 5, "y": 6}
    pictures = [message["content"][0]["image_url"]["url"] for message in second["messages"][1::2]]
    seen = [np.asarray(Image.open(io.BytesIO(base64.b64decode(p.split(",")[1])))) for p in pictures]
    assert np.array_equal(seen[0], dark) and np.array_equal(seen[1], FRAME)
    assert policy.client.usage.prompt_tokens == 200


def test_history_is_short_and_forgotten_at_reset(server: FakeServer) -> None:
    policy = VlmPolicy(client_of(server), "shape_matching", history=2)
    for _ in range(5):
        policy.act(FRAME)
    assert len(server.requests[-1]["messages"]) == 6
    policy.reset()
    policy.observe(FRAME, (1, 2))
    policy.propose(FRAME)
    assert [json.loads(m["content"]) for m in server.requests[-1]["messages"] if m["role"] ==
            "assistant"] == [{"x": 1, "y": 2}]  # fmt: skip


def test_bad_replies_are_asked_again_once_and_counted(server: FakeServer) -> None:
    policy = VlmPolicy(client_of(server), "shape_matching")
    server.answers = [chat("I cannot see it."), chat('{"x": 7, "y": 8}')]
    assert policy.act(FRAME) == (7, 8)
    assert "no click" in server.requests[1]["messages"][-1]["content"]
    assert (policy.bad_replies, policy.given_up) == (1, 0)
    server.answers = [chat(None)]
    assert policy.propose(FRAME).click_xy == (0, 0)
    assert (policy.bad_replies, policy.given_up) == (3, 1)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_endpoint_is_asked_again_after_ever_longer_waits(
    server: FakeServer, status: int
) -> None:
    waits: list[float] = []
    server.answers = [(status, {"error": "busy"}, {})] * 3 + [chat("(3, 4)")]
    client = client_of(server, waits, backoff_s=0.5)
    assert client.complete([]) == "(3, 4)"
    assert waits == [0.5, 1.0, 2.0] and client.usage.retries == 3


def test_a_server_may_ask_for_a_longer_wait_but_not_for_ever(server: FakeServer) -> None:
    waits: list[float] = []
    server.answers = [
        (429, {}, {"Retry-After": "7"}),
        (429, {}, {"Retry-After": "999999"}),
        (429, {}, {"Retry-After": "tomorrow"}),
        chat("ok"),
    ]
    client_of(server, waits).complete([])
    assert waits == [7.0, 60.0, 4.0]


def test_in_the_end_it_gives_up(server: FakeServer) -> None:
    server.answers = [(503, {"error": "down"}, {})]
    with pytest.raises(VlmError, match=r"after 3 requests: HTTP 503"):
        client_of(server, retries=2).complete([])
    assert len(server.requests) == 3


def test_a_refusal_is_not_repeated(server: FakeServer) -> None:
    server.answers = [(401, {"error": "no such model"}, {})]
    with pytest.raises(VlmError, match=r"HTTP 401.*no such model"):
        client_of(server).complete([])
    assert len(server.requests) == 1


def test_a_slow_endpoint_is_given_up(server: FakeServer) -> None:
    release = threading.Event()

    def late(_body: dict[str, Any]) -> Answer:
        release.wait(5)
        return chat("late")

    server.answer = late
    waits: list[float] = []
    try:
        with pytest.raises(VlmError, match="does not answer after 2 requests"):
            client_of(server, waits, timeout_s=0.1, retries=1).complete([])
    finally:
        release.set()
    assert len(waits) == 1


def test_nobody_there() -> None:
    endpoint = Endpoint("seer", "http://127.0.0.1:9/v1", retries=0, timeout_s=2.0)
    with pytest.raises(VlmError, match="does not answer"):
        ChatClient(endpoint).complete([])


@pytest.mark.parametrize(
    "content", [b"<html>", {"choices": []}, {"choices": [{}]}, [1], b"[" * 100_000]
)
def test_what_is_no_chat_completion_is_said(server: FakeServer, content: Any) -> None:
    server.answers = [(200, content, {})]
    with pytest.raises(VlmError, match="no chat completion"):
        client_of(server).complete([])


# ---------------------------------------------------------------------------------------- secrets


def test_the_key_comes_from_the_environment_alone(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(server)
    client.complete([])
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    client.complete([])
    sent = [headers.get("Authorization") for headers in server.headers]
    assert sent == [None, f"Bearer {KEY}"]
    assert KEY not in json.dumps(server.requests)
    for thing in (client, client.endpoint, client.usage, VlmPolicy(client, "shape_matching")):
        assert KEY not in repr(thing) + repr(vars(thing))


@pytest.mark.parametrize("status", [200, 400, 503])
def test_the_key_is_in_no_error_even_if_the_server_says_it(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    server.answers = [(status, {"error": f"wrong key {KEY}"}, {"X-Key": KEY})]
    with pytest.raises(VlmError) as caught:
        client_of(server, retries=1).complete([])
    error: BaseException | None = caught.value
    assert "wrong key" in str(error)
    assert KEY not in str(error) + repr(error)
    assert error is not None and error.__cause__ is None and error.__suppress_context__


def test_the_key_does_not_follow_redirections(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    server.answers = [(302, {}, {"Location": server.url + "/elsewhere"})]
    with pytest.raises(VlmError, match="HTTP 302"):
        client_of(server).complete([])
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize("key", [KEY + "\nsecond line", "\u201c" + KEY + "\u201d"])
def test_a_key_that_no_request_can_carry_is_refused_without_saying_it(
    cli: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)
    argv = ("--task", "shape_matching", "--episodes", 1, "--forced", 0)
    code, out, err = cli("eval", f"vlm:seer@{server.url}", *argv)
    assert code == 2 and KEY_VARIABLE in err
    assert KEY not in out + err and not server.requests


def test_a_key_for_this_machine_goes_through_no_proxy(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = FakeServer()
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    client_of(server).complete([])
    proxy.http.shutdown()
    proxy.http.server_close()
    assert not proxy.requests
    assert [headers.get("Authorization") for headers in server.headers] == [f"Bearer {KEY}"]


def test_the_key_goes_over_no_open_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    client = ChatClient(Endpoint("seer", "http://models.invalid/v1"))
    with pytest.raises(UsageError, match="https") as caught:
        client.complete([])
    assert KEY not in str(caught.value)
    assert Endpoint("seer", "https://models.invalid/v1").trusted


@pytest.mark.parametrize(
    "url", ["http://me:pass-word@host/v1", "https://host/v1?key=pass-word", "ftp://host", "host"]
)
def test_addresses_with_secrets_are_refused_without_saying_them(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint("seer", url)
    assert "pass-word" not in str(caught.value)


# ---------------------------------------------------------------------------------------- parsing


@pytest.mark.parametrize(
    ("text", "click"),
    [
        ('{"x": 12, "y": 30}', (12, 30)),
        ('```json\n{"x": 12.6, "y": "30"}\n```', (12, 30)),
        ('I think {"a": 1} then {"click": [12, 30]}.', (12, 30)),
        ('{"action": {"type": "click", "point": {"x": 12, "y": 30}}}', (12, 30)),
        ('{"name": "click", "arguments": {"coordinate": [12, 30]}}', (12, 30)),
        ('first {"x": 1, "y": 2}, no: {"x": 12, "y": 30}', (12, 30)),
        ("Click at (12, 30).", (12, 30)),
        ("not (1, 2) but [12, 30]", (12, 30)),
        ("x=12, y=30", (12, 30)),
        ("X: 12\nY: 30", (12, 30)),
        ("12, 30", (12, 30)),
        ("(0.5, 0.25)", (213, 109)),
        ('{"x": 0.5, "y": 1.0}', (213, 435)),
        ('{"x": 0, "y": 1}', (0, 1)),
        ('{"x": 426, "y": 3}', None),
        ("(-3, 5)", None),
        ('{"x": true, "y": 3}', None),
        ('{"x": NaN, "y": 3}', None),
        ('{"x": 1e999, "y": 3}', None),
        ('{"x": [1], "y": null}', None),
        (f'{{"x": {"1" * 400}, "y": 3}}', None),
        ("{" * 3000, None),
        ("no idea", None),
        ("", None),
    ],
)
def test_clicks_are_read_from_json_and_from_text(text: str, click: tuple[int, int] | None) -> None:
    assert parse_click(text, SIZE) == click


@given(st.text(max_size=200) | st.from_regex(r"[{}\[\]\"xy:,0-9. ()-]*", fullmatch=True))
def test_any_reply_gives_a_click_inside_the_frame_or_none(text: str) -> None:
    click = parse_click(text, SIZE)
    assert click is None or (0 <= click[0] < SIZE[0] and 0 <= click[1] < SIZE[1])


@given(st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1))
def test_what_is_asked_for_is_understood(x: int, y: int) -> None:
    assert parse_click(json.dumps({"x": x, "y": y}), SIZE) == (x, y)


@pytest.mark.parametrize("name", ["vlm:", "vlm:model", "vlm:model@host", "vlm:@http://h", "model"])
def test_names_of_models(name: str) -> None:
    with pytest.raises(UsageError):
        endpoint_of(name)
    fine = endpoint_of("vlm:org/m@2@https://host:8/v1")
    assert (fine.model, fine.url) == ("org/m@2", "https://host:8/v1")


# ------------------------------------------------------------------------------------ evaluation


def test_a_model_runs_through_the_same_evaluation(server: FakeServer) -> None:
    actors = VlmActors(Endpoint("seer", server.url, timeout_s=5.0), "shape_matching", rows=2)
    options = TaskEvaluation("shape_matching", episodes=2, forced=1, limit=3)
    found = evaluate_task(actors, options)
    assert found["steps_mean"] == 3.0 and found["success_rate"] == 0.0
    assert found["forced_mistakes"]["episodes"] == 1
    facts = actors.facts()["vlm"]
    assert facts["requests"] == len(server.requests) and facts["bad_replies"] == 0


def test_eval_of_a_model_writes_no_key(
    cli: Any, server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    server.answers = [chat("what?")]
    argv = ("--task", "shape_matching", "--episodes", 1, "--forced", 0, "--limit", 2)
    report = tmp_path / "r.json"
    code, out, err = cli("eval", f"vlm:seer@{server.url}", *argv, "--json", report)
    assert (code, err) == (0, "")
    result = json.loads(report.read_text())
    assert result["vlm"]["bad_replies"] == 4 and result["vlm"]["given_up"] == 2
    assert KEY not in out + report.read_text()
    server.answers = [(403, {"error": f"key {KEY}"}, {})]
    code, out, err = cli("eval", f"vlm:seer@{server.url}", *argv[:4])
    assert code == 1 and KEY not in out + err


def test_what_was_finished_when_the_endpoint_fails_is_kept(
    cli: Any, server: FakeServer, tmp_path: Any
) -> None:
    argv = ("--task", "shape_matching", "--episodes", 3, "--forced", 1, "--limit", 2)
    refusal = (403, {"error": "out of credit"}, {})
    server.answers = [*[chat('{"x": 5, "y": 6}')] * 5, refusal]
    report, kept = tmp_path / "r.json", tmp_path / "sessions"
    code, _, err = cli("eval", f"vlm:seer@{server.url}", *argv, "--json", report, "--record", kept)
    assert code == 1 and "not finished" in err and "out of credit" in err
    result = json.loads(report.read_text())
    assert len(result["per_episode"]) == 2 and result["steps_mean"] == 2.0
    assert "out of credit" in result["interrupted"] and "forced_mistakes" not in result
    assert len(open_dataset(kept)) == 2
    server.answers = [*[chat('{"x": 5, "y": 6}')] * 6, refusal]
    code, _, _ = cli("eval", f"vlm:seer@{server.url}", *argv, "--json", report)
    result = json.loads(report.read_text())
    assert code == 1 and len(result["per_episode"]) == 3
    assert result["forced_mistakes"]["episodes"] == 0


@pytest.mark.parametrize(
    ("mode", "answered"),
    [("closed-loop", 13), ("teacher-forced", 5)],  # 12 idle clicks end a trace
)
def test_traces_that_were_finished_when_the_endpoint_fails_are_kept(
    cli: Any, server: FakeServer, labelled_npz: Path, tmp_path: Path, mode: str, answered: int
) -> None:
    argv = ("--volume", labelled_npz, "--episodes", 2, "--forced", 1, "--sections", 2)
    report = tmp_path / "r.json"
    asked = ("eval", f"vlm:seer@{server.url}", *argv, "--mode", mode, "--json", report)
    refusal = (403, {"error": "out of credit"}, {})
    server.answers = [refusal]
    code, _, err = cli(*asked)
    assert code == 1 and "out of credit" in err and not report.exists()
    server.answers = [*[chat('{"x": 1, "y": 1}')] * answered, refusal]
    code, _, err = cli(*asked)
    assert code == 1 and "not finished" in err and "out of credit" in err
    result = json.loads(report.read_text())
    assert result["interrupted"] == err.partition("not finished: ")[2].strip()
    assert result["episodes"] >= 1 and "forced_mistakes" not in result


def test_mistakes_that_were_forced_when_the_endpoint_fails_are_kept(
    cli: Any, server: FakeServer, labelled_npz: Path, tmp_path: Path
) -> None:
    argv = ("--volume", labelled_npz, "--episodes", 2, "--forced", 2, "--sections", 2)
    report = tmp_path / "r.json"
    refusal = (403, {"error": "out of credit"}, {})
    server.answers = [*[chat('{"x": 1, "y": 1}')] * 24, refusal]
    code, _, err = cli("eval", f"vlm:seer@{server.url}", *argv, "--json", report)
    result = json.loads(report.read_text())
    assert code == 1 and "not finished" in err
    assert result["episodes"] == 2 and result["forced_mistakes"]["episodes"] == 0
    assert "interrupted" not in result["forced_mistakes"]
