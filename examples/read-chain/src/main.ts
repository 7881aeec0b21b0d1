import '@diskstack/core';
import '@diskstack/qcow';
import '@diskstack/raw';
