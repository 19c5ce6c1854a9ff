// SPDX-License-Identifier: Apache-2.0
// `@peculiar/x509` refuses to load without the metadata functions of `reflect-metadata`, which its dependency injection
// reads. It annotates nothing itself, so it is enough that they exist and that there is nothing to be read.

const nothing: Readonly<Record<string, () => undefined>> = {
  getMetadata: () => undefined,
  getOwnMetadata: () => undefined,
  defineMetadata: () => undefined,
}
for (const [name, value] of Object.entries(nothing)) {
  if (!Reflect.has(Reflect, name)) Object.defineProperty(Reflect, name, { value, configurable: true, writable: true })
}
