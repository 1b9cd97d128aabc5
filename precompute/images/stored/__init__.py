"""Images inside files of many, as data-set libraries leave them. Nothing is unpacked, and no file runs code.

reading      a folder -> what it holds, in whichever form
found        what was found: parts (train, test, ...), images, labels and the file's own names of labels
tables       a table's columns: encoded images, or names of image files; labels by number or by name
parquet      parquet files, as on the Hugging Face hub and from `datasets`
arrow        the folder of `datasets`' save_to_disk
tars         WebDataset's shards
arrays       .npz files: MedMNIST's, Keras', anybody's; held against their size before room is made
"""
