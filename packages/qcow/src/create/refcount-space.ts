/** Clusters for refcounts. */
export interface RefcountSpace {
  readonly blocks: number;
  readonly tableClusters: number;
}

/**
 * The refcount blocks and table for `clusters` clusters and for themselves: more blocks need a longer table, which
 * needs more blocks, until both fit.
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
