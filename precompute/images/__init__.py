"""From files to batches on the device: data sets, label subsets, augmentation."""
