from pathlib import Path

import pytest

from serving.settings import PREFIX, Settings, SettingsError, load_settings

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "deployment.md"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_has_a_description_and_stands_in_the_documentation(name: str) -> None:
    field = Settings.model_fields[name]
    assert field.description
    [row] = [
        line
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| `{PREFIX}{name.upper()}` |")
    ]
    assert f"`{field.default}`" in row


def test_options_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREATMENT_RESPONSE_PORT", "8001")
    monkeypatch.setenv("TREATMENT_RESPONSE_WORKERS", "3")
    settings = load_settings(port=8002, workers=None)
    assert (settings.port, settings.workers, settings.host) == (8002, 3, "127.0.0.1")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_host_that_others_could_reach_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match=r"must be a loopback address .* set api_keys or jwks"):
        load_settings(host=host)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"api_keys": "k"}, "need HTTPS; set tls_certificate and tls_key, or public_url"),
        ({"api_keys": "k", "public_url": "http://clinic.example"}, "must be https://HOST"),
        ({"api_keys": "k", "public_url": "https://clinic.example/predict"}, "without a path"),
        ({"api_keys": "k", "tls_certificate": "c"}, "tls_certificate and tls_key belong together"),
        ({"jwks": "j"}, "jwks also needs jwt_issuer and jwt_audience"),
        ({"jwks": "j", "jwt_issuer": "i"}, "jwks also needs jwt_issuer and jwt_audience"),
        ({"api_keys": "k", "public_url": "https://a", "trusted_proxies": "*"}, "must be IP addresses"),
        (
            {"api_keys": "k", "public_url": "https://a", "trusted_proxies": "0.0.0.0/0"},
            "not be every address",
        ),
    ],
)
def test_host_that_others_reach_needs_all_that_protects_it(options: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match="settings: ") as caught:
        load_settings(host="0.0.0.0", **options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"api_keys": "k", "tls_certificate": "c", "tls_key": "p"},
        {"api_keys": "k", "public_url": "https://clinic.example", "trusted_proxies": "10.0.0.1, 10.0.1.0/24"},
        {"jwks": "j", "jwt_issuer": "i", "jwt_audience": "a", "public_url": "https://clinic.example:8443/"},
    ],
)
def test_host_that_others_reach_is_accepted_with_keys_and_https(options: dict[str, str]) -> None:
    assert load_settings(host="0.0.0.0", **options).authenticates


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_host_is_accepted(host: str) -> None:
    assert load_settings(host=host).host == host


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREATMENT_RESPONSE_WORKER", "2")
    monkeypatch.setenv("TREATMENT_RESPONSE_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match="settings: ") as caught:
        load_settings(port=70000)
    text = str(caught.value)
    assert "TREATMENT_RESPONSE_WORKER is not a setting; the nearest is TREATMENT_RESPONSE_WORKERS" in text
    assert "log_level (TREATMENT_RESPONSE_LOG_LEVEL): Input should be 'debug', 'info'" in text
    assert "port (TREATMENT_RESPONSE_PORT): Input should be less than or equal to 65535" in text
