"""``python -m fleetsweep``, and the console script."""

from fleetsweep.cli import main

if __name__ == "__main__":
    main()
