"""A partner that asks its guidelines, and a language model in the memory of the test."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

from core.clock import today
from core.database import tenant_session
from core.tenancy import settings as tenant_settings
from tenants.knowledge.settings_answers import AnswerSettings


@dataclass
class Partner:
    """A tenant with its API and a clinic."""

    tenant: Any
    api: Any
    clinic: str

    def session(self):
        return tenant_session(self.tenant, actor="test:1")

    def set(self, **settings):
        with self.session() as session:
            tenant_settings.put(session, AnswerSettings(**settings))

    def ask(self, question, **more):
        answer = self.api.post("/v1/knowledge/ask", json={"question": question, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def patient(self, *, away=120, viral_load=None, **facts):
        """A patient whose last contact was some days ago."""
        body = {"facility": self.clinic, "hospital_number": uuid4().hex[:10], "art_start_date": "2020-01-10", **facts}
        patient = self._add("patients", body)
        day = str(today(self.tenant.time_zone) - timedelta(away))
        self._add("visits", {"patient_id": patient, "date_started": day})
        if viral_load is not None:
            body = {"variable_name": "viral_load", "value_numeric": viral_load, "obs_datetime": f"{day}T09:00:00Z"}
            self._add("observations", {"patient_id": patient, **body})
        return patient

    def _add(self, path, body):
        answer = self.api.post(f"/v1/{path}", json=body)
        assert answer.status_code == 201, answer.text
        return answer.headers["location"].rsplit("/", 1)[1]

    def rows(self, query):
        with self.session() as session:
            return session.cursor().execute(query).fetchall()


@dataclass
class ModelServer:
    """A server with OpenAI's API that answers what ``says`` returns.

    Attributes:
        says: text of the answer, or a function of the prompt.
        prompts: what it was sent: each request's headers and body.
    """

    says: Any = "NO ANSWER"
    status: int = 200
    usage: Any = field(default_factory=lambda: {"prompt_tokens": 900, "completion_tokens": 60})
    prompts: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def __enter__(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.prompts.append((dict(self.headers), body))
                prompt = "\n".join(message["content"] for message in body["messages"])
                text = server.says(prompt) if callable(server.says) else server.says
                answer = json.dumps({"choices": [{"message": {"content": text}}], "usage": server.usage}).encode()
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                """Write nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def sent(self):
        """All that it was sent, as one text."""
        return json.dumps(self.prompts)
