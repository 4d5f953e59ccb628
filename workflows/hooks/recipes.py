"""What an administrator sets on both sides so that a platform sends hints: steps, and the rule to paste."""

from __future__ import annotations

from django.conf import settings

from connectors.config import ConnectionConfig
from improvement.errors import InputError
from workflows.hooks import hints

HERE = """Here: put a secret (`regelkreis hooks secret` makes one) into the file
secrets/connections__{name}__hook_secret of the home, or into
REGELKREIS_CONNECTIONS__{NAME}__HOOK_SECRET, and start the web site again.
To replace it later, write the new one before the old one, separated by a blank, until the platform uses the new one."""

JIRA = """In Jira: System, WebHooks, Create a WebHook.
  URL     {address}
  Secret  the same secret: Jira then signs each body ({signature})
  Events  Issue created, updated, deleted; with JQL, only the projects that are mapped
  Body    leave “Exclude body” off: a signature over nothing proves nothing and is refused"""

SERVICENOW = """In ServiceNow: System Properties, a new one named regelkreis.hook_secret, type password2, private, its
value the same secret. Scripts must read it in the clear: gs.info(gs.getProperty('regelkreis.hook_secret').length) in
Scripts - Background says how long it is; else use type string, readable by administrators only.
Then a Business Rule on each table of interest (incident, sn_cim_register …), advanced, when async, on insert, update
and delete, with this script:

{rule}"""

RULE = """(function executeRule(current) {{
    var hint = new sn_ws.RESTMessageV2();
    hint.setEndpoint('{address}');
    hint.setHttpMethod('post');
    hint.setHttpTimeout(5000);
    hint.setRequestHeader('Content-Type', 'application/json');
    hint.setRequestHeader('{secret_header}', gs.getProperty('regelkreis.hook_secret'));
    hint.setRequestBody(JSON.stringify({{hint: gs.generateGUID()}}));
    try {{
        hint.execute();
    }} catch (problem) {{
        gs.debug('Regelkreis took no hint: ' + problem);
    }}
}})(current);"""

OTHERS = """On the platform: POST any body that differs each time to
  {address}
with the header {secret_header}: the same secret."""

THEN = """Then let a timer run `regelkreis pull --hinted`, for example each minute: it pulls what was hinted at, each
connection at most every {spacing} s (hint_spacing_s), and does nothing otherwise. `regelkreis hooks list` shows what
came."""

IN_THE_CLEAR = """Careful: public_url is no https address. On the way anybody could read a shared secret."""

STEPS = {"jira": JIRA, "servicenow": SERVICENOW}


def recipe(name: str) -> str:
    """The steps for one connection, without the secret."""
    config = settings.REGELKREIS.connections.get(name)
    if config is None:
        known = ", ".join(sorted(settings.REGELKREIS.connections)) or "none"
        raise InputError(f"There is no connection “{name}”.", mend=f"Connections in regelkreis.toml: {known}.")
    blanks = {
        "name": name,
        "NAME": name.upper(),
        "address": hints.address_of(name),
        "signature": f"{hints.SIGNATURE_HEADER}: {hints.METHOD}=…",
        "secret_header": hints.SECRET_HEADER,
        "spacing": config.hint_spacing_s,
    }
    rule = RULE.format(**blanks)
    steps = STEPS.get(config.platform, OTHERS).format(rule=rule, **blanks)
    parts = [_here(config, blanks), steps, THEN.format(**blanks)]
    return "\n\n".join(parts if settings.REGELKREIS.public_url.startswith("https://") else [IN_THE_CLEAR, *parts])


def _here(config: ConnectionConfig, blanks: dict[str, object]) -> str:
    return "Here: hook_secret is set." if config.hook_secrets else HERE.format(**blanks)
