"""The tables of Continual Improvement Management (plugin com.sn_cim)."""

from __future__ import annotations

from connectors.sandbox.servicenow import choices as c
from connectors.sandbox.servicenow.schema import TableDef, col, ref

CIM: tuple[TableDef, ...] = (
    TableDef(
        "sn_cim_strategic_objective",
        "Strategic Objective",
        (col("name", "string", "Name"), col("description", "string", "Description")),
    ),
    TableDef(
        "sn_cim_register",
        "Improvement Initiative",
        (
            col("state", "integer", "State", choices=c.CIM_STATE, default="1", read_only=True),
            ref("coordinator", "sys_user", "CIM Coordinator"),
            ref("approver_group", "sys_user_group", "Approver group"),
            col("strategic_objective", "glide_list", "Strategies", reference="sn_cim_strategic_objective"),
            col("on_hold_reason", "string", "On hold reason", choices=c.CIM_HOLD_REASON),
            col("effort", "string", "Effort", is_strict=False),
            col("business_justification", "string", "Business justification", max_length=4000),
            col("expected_outcomes", "string", "Expected outcomes", max_length=4000),
            col(
                "success_measurement_method",
                "string",
                "Success measurement method",
                choices=c.CIM_METHOD,
                default="manual",
            ),
            col("improvement_kpi", "string", "Improvement KPI"),
            col("base_value", "decimal", "Base value"),
            col("target_value", "decimal", "Target value"),
            col("percentage_improvement", "decimal", "Percentage improvement"),
            col("target_review_date", "glide_date", "Target review date"),
            col("planned_start_date", "glide_date", "Planned start date"),
            col("planned_end_date", "glide_date", "Planned end date"),
            col("percent_complete", "percent_complete", "Percent complete", default="0", read_only=True),
            col("closure_code", "string", "Closure code", choices=c.CIM_CLOSE),
            col("achieved_outcome_category", "string", "Achieved outcome category", choices=c.CIM_OUTCOME),
        ),
        "task",
        "CIM",
        "number",
        1001,
    ),
    TableDef(
        "sn_cim_task",
        "CIM Task",
        (
            ref("cim_register", "sn_cim_register", "Improvement initiative"),
            col("planned_start_date", "glide_date", "Planned start date"),
            col("planned_end_date", "glide_date", "Planned end date"),
        ),
        "task",
        "CIMT",
        "number",
        1001,
    ),
    TableDef(
        "sn_cim_inbound_m2m",
        "Inbound CIM Integration",
        (
            ref("cim_register", "sn_cim_register", "Improvement initiative"),
            col("source_table", "table_name", "Source table"),
            col("source_id", "document_id", "Source"),
        ),
        display="source_id",
    ),
    TableDef(
        "sn_cim_related_kpi",
        "Impacted KPIs",
        (ref("cim_register", "sn_cim_register", "Improvement initiative"), col("kpi", "string", "KPI")),
        display="kpi",
    ),
)
