"""What the sandbox has of Customer Service Management: complaints and escalations.

On an instance a complaint case extends a customer service case, and that a task; here both stand alone, with the
columns that a mapping needs.
"""

from __future__ import annotations

from connectors.sandbox.servicenow.schema import TableDef, col, ref

TABLE_OF_GRIEVANCE = {"complaint": "sn_complaint_case", "escalation": "sn_customerservice_escalation"}

CUSTOMER_SERVICE: tuple[TableDef, ...] = tuple(
    TableDef(
        name,
        label,
        (
            col("number", "string", "Number", read_only=True),
            col("short_description", "string", "Short description"),
            ref("account", "core_company", "Account"),
            ref("location", "cmn_location", "Location"),
            col("opened_at", "glide_date_time", "Opened"),
        ),
        prefix=prefix,
        display="number",
    )
    for name, label, prefix in (
        ("sn_complaint_case", "Complaint Case", "CPC"),
        ("sn_customerservice_escalation", "Escalation", "CSE"),
    )
)
