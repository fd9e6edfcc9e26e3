"""The settings of metrics, traces and error tracking."""

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings


class ObservingSettings(BaseSettings):
    """Where metrics are read, and where traces and errors are sent."""

    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port on which Prometheus reads the metrics of `iit serve` and of `iit worker`; unset: none."
        " `iit serve --worker` gives its worker the next port.",
    )
    metrics_host: str = Field(default="127.0.0.1", description="Address that the port of metrics listens on.")
    tracing_endpoint: str | None = Field(
        default=None,
        description="Address of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318, without"
        " /v1/traces. Without one, nothing is traced.",
    )
    tracing_headers: SecretStr | None = Field(
        default=None, description="Headers for the collector, such as a credential: name=value, separated by commas."
    )
    tracing_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of traces that are exported whatever became of them. Failed and slow ones always are.",
    )
    tracing_slow_seconds: float = Field(
        default=1.0, gt=0, description="Seconds until the answer begins, from which the trace of a request is exported."
    )
    tracing_slow_job_seconds: float = Field(
        default=60.0, gt=0, description="Seconds from which the trace of a job is exported."
    )
    tracing_accept_callers: bool = Field(
        default=False,
        description="Whether a request continues the trace that its header traceparent names; otherwise its trace is"
        " linked to the caller's. Set it only if a proxy of yours sets the header of every request from outside.",
    )
    tracing_hosts: str = Field(
        default="",
        description="Hosts that are sent the header traceparent with calls to them, separated by commas.",
    )
    sentry_dsn: SecretStr | None = Field(
        default=None,
        description="Address of a project for errors, by Sentry's protocol: https://<key>@<host>/<project>. Errors are"
        " on the page Operators, Errors with and without it.",
    )
    errors_keep_days: int = Field(
        default=90, ge=1, description="Days after which an error that was not seen again is removed from the list."
    )

    def tracing_header_pairs(self) -> dict[str, str]:
        """Return the headers for the collector."""
        text = "" if self.tracing_headers is None else self.tracing_headers.get_secret_value()
        pairs = (each.partition("=") for each in text.split(",") if each.strip())
        return {name.strip(): value.strip() for name, _, value in pairs}

    def tracing_host_names(self) -> frozenset[str]:
        """Return the hosts that are sent the header traceparent."""
        return frozenset(each.strip().lower() for each in self.tracing_hosts.split(",") if each.strip())

    @field_validator("tracing_endpoint")
    @classmethod
    def _collector(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value is not None and (parts.scheme not in {"http", "https"} or not parts.hostname):
            message = "must begin with http:// or https://, and name a host"
            raise ValueError(message)
        return value

    @field_validator("tracing_headers")
    @classmethod
    def _pairs(cls, value: SecretStr | None) -> SecretStr | None:
        text = "" if value is None else value.get_secret_value()
        if any("=" not in each for each in text.split(",") if each.strip()):
            message = "must be name=value, separated by commas"
            raise ValueError(message)
        return value

    @field_validator("sentry_dsn")
    @classmethod
    def _dsn(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit("" if value is None else value.get_secret_value())
        project = parts.path.rpartition("/")[2]
        if value is not None and not (
            parts.scheme in {"http", "https"} and parts.hostname and parts.username and project.isdigit()
        ):
            message = "must be https://<key>@<host>/<project>"
            raise ValueError(message)
        return value
