#!/bin/sh
# Makes a server of the base AMI one with an application, which the specs beside this describe; cloud-init runs it at first boot.
set -eu

# Accounts
groupadd --gid 4100 auditors
useradd --system --uid 410 --user-group --home-dir /opt/app --shell /usr/sbin/nologin app
useradd --uid 4101 --create-home --shell /bin/bash --groups app,adm,auditors --password '$6$salt$x' --comment 'Deploys; on call' deploy
useradd --uid 4102 --create-home --shell /bin/sh --groups auditors --password '*' batch

# Files
install -d -o app -g app -m 755 /opt/app /opt/app/share /opt/app/releases /opt/app/releases/1 /opt/app/releases/2
install -d -o root -g app -m 750 /opt/app/etc
install -d -o app -g adm -m 2770 /opt/app/log
install -d -o app -g app -m 1777 /opt/app/spool
cd /opt/app/etc
printf 'port = 8081\nmode = production\nworkers = 4\n' > app.conf
printf 'nofile 4096\nnproc 512\n' > limits.conf
printf '%s\n' 0123456789abcdef > secret.key
printf 'Grüße, señor — 日本\n' > greeting.txt
printf '[queue]\nsize = 100\n' > "it's a queue.conf"
printf '{"feature": {"search": true, "pay": false}}\n' > features.json
chown root:app ./*
chmod 640 ./*
chown app:app secret.key
chmod 600 secret.key
chmod 644 limits.conf greeting.txt
cd /opt/app/share
head -c 65536 /dev/zero | tr '\0' '\377' > banner.bin
printf 'one\ntwo\nthree\n' > words
: > ready
mkfifo -m 620 orders
chown app:app ./*
touch -d '2024-02-29 12:00:00 UTC' words
touch -d '2025-01-01 00:00:00 UTC' ../etc/limits.conf
seq 1 2000 > ../releases/1/index
seq 2 2001 > ../releases/2/index
ln -s releases/2 ../current
ln -s ../etc/app.conf app.conf
install -d -m 755 /opt/app/bin
printf '#!/bin/sh\necho "app 2.4.1"\n' > /opt/app/bin/version
printf '#!/bin/sh\necho "queue: 0 waiting"; echo "no warnings" >&2; exit 3\n' > /opt/app/bin/status
printf '#!/bin/sh\necho "all is well"\n' > /opt/app/bin/report
chmod 755 /opt/app/bin/*
ln -s /opt/app/bin/version /usr/local/bin/app-version
echo '10.11.12.13 database.internal' >> /etc/hosts
printf 'APP_REGION=eu-central\n' >> /etc/environment

# Packages
for name in app-tools app-docs app-agent app-client; do
  tree=$(mktemp -d)
  chmod 755 "$tree"
  mkdir -p "$tree/DEBIAN" "$tree/usr/share/$name" "$tree/etc/$name"
  printf 'Package: %s\nVersion: 2.4-1\nArchitecture: all\nMaintainer: Tests <tests@example.com>\nDescription: %s\n' "$name" "$name" > "$tree/DEBIAN/control"
  printf '/etc/%s/%s.conf\n' "$name" "$name" > "$tree/DEBIAN/conffiles"
  printf '#!/bin/sh\n[ ! -e /root/broken-packages ]\n' > "$tree/DEBIAN/postinst"
  chmod 755 "$tree/DEBIAN/postinst"
  echo "$name" > "$tree/usr/share/$name/README"
  echo "on" > "$tree/etc/$name/$name.conf"
  dpkg-deb --build --root-owner-group "$tree" "/root/$name.deb" > /dev/null
  sed -i 's/2.4-1/2.5-1/' "$tree/DEBIAN/control"
  dpkg-deb --build --root-owner-group "$tree" "/root/$name-new.deb" > /dev/null
  dpkg --install "/root/$name.deb" > /dev/null
  rm -r "$tree"
done

# Services
cat > /usr/local/sbin/app-listener << 'END'
#!/usr/bin/python3
import select, socket, sys
held = []
for place in sys.argv[1:]:
    kind, _, where = place.partition(":")
    if kind == "unix":
        one = socket.socket(socket.AF_UNIX)
        one.bind(where)
    else:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        address, _, port = where.rpartition(":")
        one.bind((address, int(port)))
    if kind != "udp":
        one.listen(5)
    held.append(one)
select.select([], [], [])
END
chmod 755 /usr/local/sbin/app-listener
unit() {
  printf '[Unit]\nDescription=%s\n[Service]\n%s\n[Install]\nWantedBy=multi-user.target\n' "$1" "$2" > "/etc/systemd/system/$1.service"
}
unit app-web 'User=app
Environment=APP_MODE=production
RuntimeDirectory=app-web
ExecStart=/usr/local/sbin/app-listener tcp:0.0.0.0:8081 tcp:127.0.0.1:8082 unix:/run/app-web/control'
unit app-metrics 'User=daemon
ExecStart=/usr/local/sbin/app-listener udp:0.0.0.0:8125 tcp:127.0.0.1:9100'
unit app-worker 'User=app
ExecStart=/bin/sleep 1000001'
unit app-cleaner 'User=batch
ExecStart=/bin/sleep 1000002'
printf '[Unit]\nDescription=app-tick\n[Timer]\nOnCalendar=*-01-01\n[Install]\nWantedBy=timers.target\n' > /etc/systemd/system/app-tick.timer
printf '[Unit]\nDescription=app-tick\n[Service]\nType=oneshot\nExecStart=/bin/true\n' > /etc/systemd/system/app-tick.service
install -d /opt/app/cache
printf '[Mount]\nWhat=tmpfs\nWhere=/opt/app/cache\nType=tmpfs\nOptions=size=1m,noexec,nosuid,mode=755\n[Install]\nWantedBy=local-fs.target\n' > /etc/systemd/system/opt-app-cache.mount
systemctl daemon-reload
systemctl enable --quiet --now app-web app-metrics app-worker app-cleaner app-tick.timer opt-app-cache.mount

: > /opt/app/dressed
