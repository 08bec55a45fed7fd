# Redis. Sourced by install.sh and be.sh.
packages="redis-server" account=redis service=redis-server.service port=6379

configure() {
  printf 'include /etc/redis/backend.conf\ninclude /etc/redis/tls.conf\n' >>/etc/redis/redis.conf
  printf 'bind 0.0.0.0\nprotected-mode no\nuser default off\nuser shop on ">%s" ~* &* +@all\n' "$PASSWORD" >/etc/redis/backend.conf
  chown redis /etc/redis/backend.conf
}

use() {
  if [ "$1" = plain ]; then
    printf 'port 6379\n'
  else
    printf 'port 0\ntls-port 6379\ntls-auth-clients no\ntls-cert-file /etc/backend/%s.pem\ntls-key-file /etc/backend/%s.key\n' "$1" "$1"
  fi >/etc/redis/tls.conf
  chown redis /etc/redis/tls.conf
}

make_user() { :; } # in its configuration
