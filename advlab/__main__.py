"""`python -m advlab`."""

from advlab.cli.main import main

if __name__ == "__main__":
    main()
