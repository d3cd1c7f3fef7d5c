"""`python -m advlab`."""

from advlab.cli import main

if __name__ == "__main__":
    main()
