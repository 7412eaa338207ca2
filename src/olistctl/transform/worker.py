"""What `process.DbtProcess` asks for, served in a process of its own."""

from __future__ import annotations

import gc

from olistctl.transform.compiling import compile_anew, compile_project
from olistctl.transform.dbt import prepare_dbt, project_manifest, run_dbt
from olistctl.workers import serve


def main() -> None:
    """Call dbt as long as somebody asks."""
    gc.disable()  # looking for cycles in all that dbt holds costs a sixth of its time
    served = (prepare_dbt, run_dbt, compile_project, compile_anew, project_manifest)
    serve(
        {function.__name__: function for function in served},
        shows_progress=("run_dbt", "compile_project", "compile_anew"),
    )


if __name__ == "__main__":
    main()
