/** niivue reads Zarr with codecs; the service sends NIfTI alone, so none of them is in the page. */
export default {};
