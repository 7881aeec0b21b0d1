/** Clusters that keep count of all clusters. */
export interface RefcountSpace {
  readonly blocks: number;
  readonly tableClusters: number;
}

/**
 * What `clusters` clusters need to be counted, these themselves included: more blocks need more table, which needs more
 * blocks, until it fits.
 */
export function refcountSpace(clusters: number, clusterSize: number, refcountOrder: number): RefcountSpace {
  const perBlock = (clusterSize * 8) / 2 ** refcountOrder;
  const perTableCluster = clusterSize / 8;
  let space: RefcountSpace = { blocks: 0, tableClusters: 0 };
  for (;;) {
    const blocks = Math.ceil((clusters + space.tableClusters + space.blocks) / perBlock);
    const tableClusters = Math.ceil(blocks / perTableCluster);
    if (blocks === space.blocks && tableClusters === space.tableClusters) return space;
    space = { blocks, tableClusters };
  }
}
