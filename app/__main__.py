"""Lets `python -m app` stand for the command `wissel`, also where no script was installed."""

from app.cli import main

main()
