/** Name of the layout, as errors and reports show it. */
export const LVM2 = 'lvm2';
