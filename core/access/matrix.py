"""Writes ``docs/reference/roles.md`` from the features' declarations.

``python -m core.access.matrix`` rewrites the page; a test keeps it equal.
"""

from __future__ import annotations

from core.identity.permissions import declared_permissions
from core.identity.roles import ROLES, permissions_of_role
from core.settings import CHECKOUT

FILE = CHECKOUT / "docs/reference/roles.md"

_HEAD = """\
# Roles and permissions

Generated from the features' declarations: `python -m core.access.matrix`; a test keeps both equal.

A person has one or more roles in each tenant, and holds what they permit together. An API key holds permissions itself.

## Roles of a tenant's own

A tenant adds roles that include built-in ones, permissions, or both. Nobody creates a role that permits more than they
may do. A role that somebody has cannot be deleted. A change holds from the next request, on every process.

```
iit roles list my-programme
iit roles create my-programme case-lead --meaning "Leads the case managers" --permission jobs.read
iit roles change my-programme case-lead --meaning "Leads the case managers" --include case_manager
iit roles delete my-programme case-lead
```

| request | answer |
|---|---|
| `GET /v1/roles` | every role: `includes`, `permissions` of its own, `effective_permissions` |
| `POST /v1/roles` | creates a role; its name has small letters, digits and hyphens |
| `GET /v1/roles/{role_name}` | one role; its ETag if it is the tenant's own |
| `PUT /v1/roles/{role_name}` | replaces what it means and permits; takes the ETag in `If-Match` |
| `DELETE /v1/roles/{role_name}` | deletes a role that nobody has |

Reading takes `people.read`, changing `roles.write`. The audit has each change: `api:role:create`, `api:role:change`,
`api:role:delete`.

## Ask why

```
iit access explain tracker@example.org patients.read --tenant my-programme
```

prints `yes` or `no`, the role that permits it, and what the person reaches: facilities, states, assigned patients. It
takes the prefix of an API key too.

## What a person reaches

A role says what people may do, their reach to whom. Three settings narrow it in each tenant. All of them count, and a
change holds from the next request, on every process.

| setting | the person reaches |
|---|---|
| `facilities` | only these facilities and their patients |
| `states` | only the facilities of these states and their patients |
| `assigned_only` | only the patients who are assigned to the person, within the facilities and states |

People who reach assigned patients only see no count, indicator, report or measure of a facility, not even of their own
patients. They add no patients, and see of a worklist the part with their patients. The API
[names each operation](api.md#callers-who-reach-assigned-patients) that is closed to them. Any colleague who may assign
can assign patients to them: the assignment gives the reach, and its end takes it.
"""


def page() -> str:
    """The text of the whole page."""
    roles = [role for role in ROLES.values() if not role.operator]
    operators = [role for role in ROLES.values() if role.operator]
    return "\n".join(
        [
            _HEAD,
            "## Built-in roles",
            "",
            "| role | who has it |",
            "|---|---|",
            *(f"| `{role.name}` | {role.meaning} |" for role in ROLES.values()),
            "",
            "## What each permits",
            "",
            *_table([role.name for role in roles], operator=False),
            "",
            "## Operators of the installation",
            "",
            "They belong to no tenant, and read no patient.",
            "",
            *_table([role.name for role in operators], operator=True),
            "",
        ]
    )


def _table(roles: list[str], *, operator: bool) -> list[str]:
    rows = []
    for name, permission in sorted(declared_permissions().items()):
        if permission.operator == operator:
            cells = ["yes" if name in permissions_of_role(role) else "" for role in roles]
            rows.append(f"| {' | '.join([f'`{name}`', *cells, permission.description])} |")
    if not rows:
        return ["No feature declares a permission for operators yet."]
    return [f"| permission | {' | '.join(roles)} | what it allows |", "|---" * (len(roles) + 2) + "|", *rows]


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
