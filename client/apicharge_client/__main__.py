import sys

from apicharge_client.cli import main

sys.exit(main())
