# memcached, which reads its certificate while it still is root, without root's right to read what is not root's. Sourced by install.sh and be.sh.
packages="memcached" account=root service=memcached.service port=11211

configure() {
  printf 'shop:%s\n' "$PASSWORD" >/etc/backend/users
}

use() {
  {
    printf -- '-u memcache\n-l 0.0.0.0\n-p 11211\n-Y /etc/backend/users\n'
    if [ "$1" != plain ]; then
      printf -- '-Z\n-o ssl_chain_cert=/etc/backend/%s.pem,ssl_key=/etc/backend/%s.key\n' "$1" "$1"
    fi
  } >/etc/memcached.conf
}

make_user() { :; } # in its configuration
