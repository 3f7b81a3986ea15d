"""Settings of who may ask, and how the service is reached."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

from serving.access.token_keys import is_safe_address

__all__ = ["AccessSettings", "is_loopback"]


class AccessSettings(BaseSettings):
    """Part of the service's `Settings`."""

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; any but a loopback address needs authentication and HTTPS.",
    )
    api_keys: Path | None = Field(
        None,
        description="File of API keys, made by `python -m serving keys`; with it, every caller needs one.",
    )
    jwks: str | None = Field(
        None,
        min_length=1,
        description="Keys of bearer tokens: a JWKS file, or its https address; with it, tokens are accepted.",
    )
    jwt_issuer: str | None = Field(None, min_length=1, description="What `iss` of a bearer token must be.")
    jwt_audience: str | None = Field(
        None, min_length=1, description="What `aud` of a bearer token must be or hold."
    )
    jwt_roles_claim: str = Field(
        "roles", min_length=1, description="Claim of a bearer token that holds the caller's roles."
    )
    jwt_single_use: bool = Field(
        False, description="Whether each bearer token (`jti`) is good for one request only."
    )
    session_minutes: int = Field(
        60, ge=1, le=1440, description="Minutes without a request after which the page's session ends."
    )
    rate_limit: int = Field(
        600, ge=0, le=10_000_000, description="Requests a minute of each caller; 0 sets no limit."
    )
    body_seconds: int = Field(
        20, ge=1, le=600, description="Seconds in which a request must have arrived; then it gets 408."
    )
    public_url: str | None = Field(
        None, description="Address under which callers reach the service, where a proxy stands before it."
    )
    trusted_proxies: str = Field(
        "", description="Addresses of proxies, separated by commas, whose X-Forwarded-For is believed."
    )
    tls_certificate: Path | None = Field(
        None, description="Certificate chain (PEM), for HTTPS without a proxy."
    )
    tls_key: Path | None = Field(None, description="Private key (PEM) of the certificate.")

    @property
    def authenticates(self) -> bool:
        """Whether callers must say who they are."""
        return self.api_keys is not None or self.jwks is not None

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the service by HTTPS."""
        return self.tls_certificate is not None or (self.public_url or "").startswith("https://")

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if not is_safe_address(url) or parts.path.rstrip("/") or parts.query or parts.fragment:
            raise ValueError("must be https://HOST[:PORT] without a path (or http:// on loopback)")
        return url.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, listed: str) -> str:
        for address in filter(None, (part.strip() for part in listed.split(","))):
            try:
                network = ip_network(address, strict=False)
            except ValueError:
                raise ValueError("must be IP addresses or networks, separated by commas") from None
            if network.prefixlen == 0:
                raise ValueError("must not be every address: anybody could then say who they are")
        return listed

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.jwks is not None and (self.jwt_issuer is None or self.jwt_audience is None):
            raise ValueError(
                "jwks also needs jwt_issuer and jwt_audience: a token for another service is none"
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together")
        if is_loopback(self.host):
            return self
        if not self.authenticates:
            raise ValueError(
                f"host must be a loopback address (127.0.0.1, ::1 or localhost) as long as there is no "
                f"authentication: on {self.host or 'any other address'} everyone on the network could ask; "
                f"set api_keys or jwks"
            )
        if not self.is_https:
            raise ValueError(
                "host is reached over the network: keys and patients' values need HTTPS; set tls_certificate "
                "and tls_key, or public_url=https://… if a proxy in front of the service ends it"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach an address.

    Parameters
    ----------
    host : str

    Returns
    -------
    bool
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
