import '@diskstack/core';
import '@diskstack/raw';
