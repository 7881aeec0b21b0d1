#!/usr/bin/env bash
# Makes the images of this folder with qemu-img and qemu-io, and MANIFEST.json: what qemu reads from each of them.
# The images are in the repository; run this only to change them. Needs qemu-utils.
set -euo pipefail
cd "$(dirname "$0")"
rm -f -- *.qcow2 *.img *.vhdx MANIFEST.json

quietly() { "$@" >/dev/null; }

# A chain of three: plain clusters in the base, compressed and zero clusters in the middle, a few writes on top.
# Each disk is a little larger than the one below it.
quietly qemu-img create -f qcow2 -o cluster_size=4k base.qcow2 1M
quietly qemu-io -c 'write -P 0x11 0 256k' -c 'write -P 0x12 600k 40k' base.qcow2
quietly qemu-img create -f qcow2 -o cluster_size=16k,extended_l2=on -b base.qcow2 -F qcow2 middle.qcow2 1280k
quietly qemu-io -c 'write -c -P 0x21 64k 64k' -c 'write -z 192k 32k' -c 'write -P 0x22 609k 3k' middle.qcow2
quietly qemu-img create -f qcow2 -o cluster_size=64k,compression_type=zstd -b middle.qcow2 -F qcow2 top.qcow2 1536k
quietly qemu-io -c 'write -P 0x31 100k 8k' -c 'write -c -P 0x32 1M 64k' top.qcow2

# An appliance's disk: the overlay is a file, its backing disk a logical volume that holds a QCOW2 image itself.
# lv-golden.img is the content of /dev/vg0/golden: longer than the image in it, as logical volumes are.
quietly qemu-img create -f qcow2 -o cluster_size=4k lv-golden.img 512k
quietly qemu-io -f qcow2 -c 'write -P 0x41 0 64k' -c 'write -c -P 0x42 128k 4k' lv-golden.img
truncate -s 1M lv-golden.img
quietly qemu-img create -f qcow2 -o cluster_size=4k -u -b /dev/vg0/golden -F qcow2 overlay.qcow2 512k
quietly qemu-io -c 'open -o backing.file.filename=lv-golden.img overlay.qcow2' -c 'write -P 0x51 32k 16k'

sha256() { sha256sum | cut -d' ' -f1; }
raw_of() { qemu-img convert -O raw "$@" /tmp/diskstack-image.$$ && sha256 </tmp/diskstack-image.$$; rm -f /tmp/diskstack-image.$$; }
{
  echo '{'
  echo "  \"madeBy\": \"$(qemu-img --version | head -n 1)\","
  echo '  "content": {'
  for image in base middle top; do echo "    \"$image.qcow2\": \"$(raw_of $image.qcow2)\","; done
  echo "    \"lv-golden.img\": \"$(raw_of -f qcow2 lv-golden.img)\","
  echo "    \"overlay.qcow2\": \"$(raw_of --image-opts driver=qcow2,file.filename=overlay.qcow2,backing.driver=qcow2,backing.file.driver=file,backing.file.filename=lv-golden.img)\""
  echo '  }'
  echo '}'
} >MANIFEST.json
