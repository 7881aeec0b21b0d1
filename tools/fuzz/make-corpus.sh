#!/usr/bin/env bash
# Makes the small images that the fuzzer begins with, with qemu-img and qemu-io. Run it only to change them.
set -euo pipefail
cd "$(dirname "$0")/corpus"
rm -f -- *.qcow *.qcow2 *.raw
make() { qemu-img create -q -f "$1" ${3:+-o "$3"} "$2" "${4:-64k}" >/dev/null; }
fill() { local image=$1; shift; qemu-io "$@" "$image" >/dev/null; }

make qcow v1.qcow
fill v1.qcow -c 'write -P 1 0 8k' -c 'write -P 2 40k 4k'
make qcow2 v2.qcow2 compat=0.10,cluster_size=512
fill v2.qcow2 -c 'write -P 1 0 4k' -c 'write -c -P 2 8k 512' -c 'write -P 3 60k 1k'
make qcow2 v3.qcow2 cluster_size=512,lazy_refcounts=on
fill v3.qcow2 -c 'write -P 1 0 4k' -c 'write -c -P 2 8k 512' -c 'write -c -P 4 9k 512' -c 'write -z 16k 2k' -c 'discard 1k 1k'
make qcow2 zstd.qcow2 cluster_size=4k,compression_type=zstd
fill zstd.qcow2 -c 'write -c -P 5 0 4k' -c 'write -c -P 6 8k 4k' -c 'write -P 7 16k 4k'
make qcow2 extended.qcow2 cluster_size=16k,extended_l2=on
fill extended.qcow2 -c 'write -P 1 1k 2k' -c 'write -z 20k 1k' -c 'write -P 2 32k 16k'
make qcow2 snapshots.qcow2 cluster_size=512
fill snapshots.qcow2 -c 'write -P 1 0 4k'
qemu-img snapshot -c first snapshots.qcow2
fill snapshots.qcow2 -c 'write -P 2 2k 4k'
qemu-img snapshot -c second snapshots.qcow2
qemu-img bitmap --add --enable -g 512 snapshots.qcow2 dirty
fill snapshots.qcow2 -c 'write -P 3 1k 1k'
make qcow2 refcount1.qcow2 cluster_size=512,refcount_bits=1
fill refcount1.qcow2 -c 'write -P 1 0 4k'
make qcow2 base.qcow2 cluster_size=512 "48k"
fill base.qcow2 -c 'write -P 9 0 48k'
qemu-img create -q -f qcow2 -o cluster_size=512 -b base.qcow2 -F qcow2 overlay.qcow2 64k
fill overlay.qcow2 -c 'write -P 8 4k 4k'
(cd "$(pwd)" && qemu-img create -q -f qcow2 -o cluster_size=512,data_file=data.raw external.qcow2 64k && qemu-io -c 'write -P 1 0 4k' external.qcow2 >/dev/null)
make qcow2 aes.qcow2 encrypt.format=aes,encrypt.key-secret=s 2>/dev/null || \
  qemu-img create -q -f qcow2 --object secret,id=s,data=abc -o cluster_size=512,encrypt.format=aes,encrypt.key-secret=s aes.qcow2 64k
