"""``python -m nightlatch``."""

from nightlatch.cli import main

if __name__ == "__main__":
    main()
