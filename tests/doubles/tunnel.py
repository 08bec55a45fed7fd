"""A program whose two ends lead to a port, as those of `aws ec2-instance-connect open-tunnel`: tunnel.py ADDRESS PORT"""

import os
import socket
import sys
import threading


def main() -> None:
    """Carry bytes both ways until the far end has said all."""
    end = socket.create_connection((sys.argv[1], int(sys.argv[2])))

    def forth() -> None:
        while data := os.read(0, 65536):
            end.sendall(data)

    threading.Thread(target=forth, daemon=True).start()
    while data := end.recv(65536):
        os.write(1, data)


if __name__ == "__main__":
    main()
