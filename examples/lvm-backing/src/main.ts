import 'reflect-metadata';
import '@diskstack/core';
import '@diskstack/lvm-stub';
import '@diskstack/qcow';
import '@diskstack/raw';
import 'tsyringe';
