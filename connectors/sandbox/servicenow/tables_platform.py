"""The instance's tables below the processes: companies, places, people, dictionary, journal, audit, attachments."""

from __future__ import annotations

from connectors.sandbox.servicenow import choices as c
from connectors.sandbox.servicenow.schema import TableDef, col, ref

MASTER_DATA: tuple[TableDef, ...] = (
    TableDef(
        "core_company",
        "Company",
        (
            col("name", "string", "Name"),
            col("customer", "boolean", "Customer", default="false"),
            col("vendor", "boolean", "Vendor", default="false"),
            col("country", "string", "Country"),
        ),
    ),
    TableDef(
        "cmn_location",
        "Location",
        (
            col("name", "string", "Name"),
            col("full_name", "string", "Full name"),
            col("city", "string", "City"),
            col("country", "string", "Country"),
            col("time_zone", "string", "Time zone"),
        ),
    ),
    TableDef("cmn_schedule", "Schedule", (col("name", "string", "Name"), col("time_zone", "string", "Time zone"))),
    TableDef(
        "cmdb_ci",
        "Configuration Item",
        (
            col("name", "string", "Name"),
            col("sys_class_name", "sys_class_name", "Class", read_only=True),
            ref("company", "core_company", "Company"),
            ref("vendor", "core_company", "Vendor"),
            ref("owned_by", "sys_user", "Owned by"),
        ),
    ),
    TableDef(
        "cmdb_ci_service",
        "Service",
        (col("busines_criticality", "string", "Business criticality"),),
        "cmdb_ci",
    ),
    TableDef(
        "service_offering",
        "Offering",
        (ref("parent", "cmdb_ci_service", "Parent"),),
        "cmdb_ci_service",
    ),
    TableDef(
        "sys_user",
        "User",
        (
            col("user_name", "string", "User ID"),
            col("name", "string", "Name"),
            col("first_name", "string", "First name"),
            col("last_name", "string", "Last name"),
            col("email", "email", "Email"),
            col("active", "boolean", "Active", default="true"),
            col("time_zone", "string", "Time zone"),
            ref("company", "core_company", "Company"),
            ref("location", "cmn_location", "Location"),
            col("roles", "string", "Roles", read_only=True),
        ),
    ),
    TableDef(
        "sys_user_group",
        "Group",
        (
            col("name", "string", "Name"),
            col("description", "string", "Description"),
            col("active", "boolean", "Active", default="true"),
            ref("manager", "sys_user", "Manager"),
        ),
    ),
    TableDef(
        "sys_user_grmember",
        "Group Member",
        (ref("user", "sys_user", "User"), ref("group", "sys_user_group", "Group")),
        display="user",
    ),
    TableDef("sys_user_role", "Role", (col("name", "string", "Name"), col("description", "string", "Description"))),
    TableDef(
        "sys_user_has_role",
        "User Role",
        (
            ref("user", "sys_user", "User"),
            ref("role", "sys_user_role", "Role"),
            col("state", "string", default="active"),
        ),
        display="role",
    ),
)

DICTIONARY: tuple[TableDef, ...] = (
    TableDef(
        "sys_db_object",
        "Table",
        (
            col("name", "string", "Name"),
            col("label", "string", "Label"),
            ref("super_class", "sys_db_object", "Extends table"),
        ),
        display="label",
    ),
    TableDef(
        "sys_glide_object",
        "Field class",
        (col("name", "string", "Name"), col("label", "string", "Label")),
        display="label",
    ),
    TableDef(
        "sys_dictionary",
        "Dictionary Entry",
        (
            col("name", "table_name", "Table"),
            col("element", "string", "Column name"),
            col("column_label", "string", "Column label"),
            ref("internal_type", "sys_glide_object", "Type"),
            col("reference", "table_name", "Reference"),  # an instance stores the table's name here, not its sys_id
            col("max_length", "integer", "Max length"),
            col("mandatory", "boolean", "Mandatory", default="false"),
            col("read_only", "boolean", "Read only", default="false"),
            col("choice", "integer", "Choice"),
            col("default_value", "string", "Default value"),
            col("audit", "boolean", "Audit", default="false"),
            col("active", "boolean", "Active", default="true"),
        ),
        display="column_label",
    ),
    TableDef(
        "sys_choice",
        "Choice",
        (
            col("name", "table_name", "Table"),
            col("element", "string", "Element"),
            col("value", "string", "Value"),
            col("label", "string", "Label"),
            col("language", "string", "Language", default="en"),
            col("sequence", "integer", "Sequence"),
            col("inactive", "boolean", "Inactive", default="false"),
        ),
        display="label",
    ),
    TableDef(
        "sys_properties",
        "System Property",
        (col("name", "string", "Name"), col("value", "string", "Value"), col("type", "string", "Type")),
    ),
    TableDef(
        "v_plugin",
        "Plugin",
        (
            col("id", "string", "ID"),
            col("name", "string", "Name"),
            col("active", "string", "Status"),
            col("version", "string", "Version"),
        ),
    ),
)

RECORDS_ABOUT_RECORDS: tuple[TableDef, ...] = (
    TableDef(
        "sys_journal_field",
        "Journal Entry",
        (
            col("name", "table_name", "Table"),
            col("element", "string", "Element"),
            col("element_id", "GUID", "Element ID"),
            col("value", "string", "Value", max_length=4000),
        ),
        display="element",
    ),
    TableDef(
        "sys_audit",
        "Audit",
        (
            col("tablename", "table_name", "Table name"),
            col("documentkey", "GUID", "Document key"),
            col("fieldname", "string", "Field name"),
            col("oldvalue", "string", "Old value"),
            col("newvalue", "string", "New value"),
            col("user", "string", "User"),
            col("record_checkpoint", "integer", "Update count"),
        ),
        display="fieldname",
    ),
    TableDef(
        "sys_audit_delete",
        "Audit Deleted Record",
        (
            col("tablename", "table_name", "Table name"),
            col("documentkey", "GUID", "Document key"),
            col("display_value", "string", "Display value"),
            col("user", "string", "User"),
        ),
        display="display_value",
    ),
    TableDef(
        "metric_definition",
        "Metric Definition",
        (
            col("name", "string", "Name"),
            col("table", "table_name", "Table"),
            col("field", "field_name", "Field"),
            col("type", "string", "Type"),
            col("active", "boolean", "Active", default="true"),
        ),
    ),
    TableDef(
        "metric_instance",
        "Metric Instance",
        (
            ref("definition", "metric_definition", "Definition"),
            col("table", "table_name", "Table"),
            col("id", "document_id", "ID"),
            col("field", "field_name", "Field"),
            col("field_value", "string", "Field value"),
            col("value", "string", "Value"),
            col("start", "glide_date_time", "Start"),
            col("end", "glide_date_time", "End"),
            col("duration", "glide_duration", "Duration"),
            col("calculation_complete", "boolean", "Calculation complete"),
        ),
        display="value",
    ),
    TableDef(
        "sla_repair_log_entry",
        "SLA Repair Log Entry",
        (
            col("type", "string", "Type"),
            ref("tsla_task", "task", "Task"),
            ref("tsla_sla", "contract_sla", "SLA definition"),
            col("tsla_stage", "string", "Stage"),
            col("tsla_has_breached", "boolean", "Has breached"),
            col("tsla_start_time", "glide_date_time", "Start time"),
            col("tsla_end_time", "glide_date_time", "Stop time"),
        ),
        display="type",
    ),
    TableDef(
        "sys_attachment",
        "Attachment",
        (
            col("file_name", "string", "File name"),
            col("content_type", "string", "Content type"),
            col("size_bytes", "integer", "Size bytes", read_only=True),
            col("size_compressed", "integer", "Size compressed", read_only=True),
            col("table_name", "table_name", "Table name", read_only=True),
            col("table_sys_id", "GUID", "Table sys ID", read_only=True),
            col("hash", "string", "Hash", read_only=True),
            col("compressed", "boolean", "Compressed", default="true"),
            col("state", "string", "State", default="available"),
            col("download_link", "string", "Download link", read_only=True),
        ),
        display="file_name",
    ),
)

APPROVALS: tuple[TableDef, ...] = (
    TableDef(
        "sysapproval_approver",
        "Approval",
        (
            col("source_table", "table_name", "Source table", read_only=True),
            col("document_id", "document_id", "Approving", read_only=True),
            ref("sysapproval", "task", "Approval for", read_only=True),
            ref("approver", "sys_user", "Approver", read_only=True),
            ref("group", "sys_user_group", "Assignment group", read_only=True),
            col("state", "string", "State", choices=c.APPROVAL_STATE, default="requested"),
            col("due_date", "due_date", "Due date", read_only=True),
            col("approval_column", "string", "Approval column", default="approval", read_only=True),
            col("comments", "journal_input", "Comments"),
        ),
        display="approver",
    ),
)
