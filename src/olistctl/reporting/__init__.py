"""The numbers people look at: KPIs for the terminal, a page with charts for everybody else."""

from olistctl.reporting.kpis import Kpi, KpiReport, read_kpis
from olistctl.reporting.page import Page, write_page

__all__ = ["Kpi", "KpiReport", "Page", "read_kpis", "write_page"]
