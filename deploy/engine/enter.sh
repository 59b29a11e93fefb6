#!/bin/sh
# Starts the engine in a private view of the file system, so that whatever it writes outside its own folders
# (/etc/resolv.conf, the links of iptables, CNI state) is gone with it and never reaches the host.
# Called in new mount and process namespaces. Arguments: view, cache folders by name, then the engine's own.
set -eu
view=$1 binaries=$2 unpacked=$3 content=$4 state=$5 emulator=$6
shift 6

# The upper layer is a tmpfs: overlayfs refuses one that lies inside its own lower layer.
mount -t tmpfs -o mode=755 drydock "$view"
mkdir "$view/upper" "$view/work" "$view/root"
mount -t overlay -o "lowerdir=/,upperdir=$view/upper,workdir=$view/work" overlay "$view/root"
root=$view/root

mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mkdir -p "$state" "$state.tmp" "$root/run/drydock"
mount --bind "$state.tmp" "$root/tmp"
mount --bind /run/drydock "$root/run/drydock"
for pair in "$binaries bin" "$content content" "$state state"; do
    mkdir -p "$root/run/drydock/${pair##* }"
    mount --bind "${pair%% *}" "$root/run/drydock/${pair##* }"
done
mkdir -p "$root/run/drydock/ca-certificates" "$root/opt/cni/bin"

# Hosts may keep these as links into /run, which the view does not share.
for file in resolv.conf hosts; do
    content_of=$(cat "/etc/$file" 2>/dev/null || true)
    rm -f "$root/etc/$file"
    printf '%s\n' "$content_of" > "$root/etc/$file"
done
for plugin in bridge firewall host-local loopback; do
    cp "$unpacked/usr/lib/cni/$plugin" "$root/opt/cni/bin/$plugin"
done
cp "$binaries/dnsname" "$root/opt/cni/bin/dnsname"
cp "$unpacked/usr/bin/tini" "$root/usr/bin/tini"
# The engine looks for the iptables backends in /usr/bin; Debian keeps them in /usr/sbin.
for backend in legacy nft; do
    ln -sf "/usr/sbin/xtables-$backend-multi" "$root/usr/bin/xtables-$backend-multi"
done

# The engine's dnsmasq would listen on every address of the host; its containers ask the bridge's alone.
printf '#!/bin/sh\nexec /usr/sbin/dnsmasq --bind-dynamic "$@"\n' > "$root/usr/local/sbin/dnsmasq"
chmod 755 "$root/usr/local/sbin/dnsmasq"

# Emulation of arm64: F opens the interpreter now, so that it works in every container; O and C pass the
# opened program and its credentials on. The entry is taken away by `down`.
formats=/proc/sys/fs/binfmt_misc
mount -t binfmt_misc binfmt_misc "$root$formats"
if ! grep -qs '^enabled' "$root$formats/qemu-aarch64" "$root$formats/drydock-aarch64"; then
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":drydock-aarch64:M::$magic:$mask:$emulator:OCF" \
        > "$root$formats/register"
fi

cd "$root"
pivot_root . mnt
umount -l /mnt
exec /usr/bin/tini -g -- /run/drydock/bin/engine "$@"
