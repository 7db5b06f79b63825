#!/bin/sh
# Starts `nextcall serve`. The first start builds the catalogue that is ranked and its vectors, in
# processes of their own: what they need of memory, the service does not keep. The ranker is the
# packaged one until another is trained or named. Any other verb of `nextcall` is run as it stands.
set -eu
catalog="${NEXTCALL_DATA_DIR:-data}/catalogs/aws.parquet"
if [ "${1:-serve}" = serve ] && [ "${NEXTCALL_CATALOG:-$catalog}" = "$catalog" ] && [ ! -e "$catalog" ]; then
    nextcall catalog build aws --output "$catalog"
    nextcall predict "list what there is" --catalog "$catalog"
fi
exec nextcall "${@:-serve}"
