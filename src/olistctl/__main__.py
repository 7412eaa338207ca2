"""`python -m olistctl`."""

from olistctl.cli import main

if __name__ == "__main__":
    main()
