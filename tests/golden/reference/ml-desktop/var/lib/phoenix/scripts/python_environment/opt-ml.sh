#!/bin/sh
# python_environment:/opt/ml. Built beside its path, then swapped; `tidy` only removes old builds.
set -eu

path=/opt/ml
builds=/opt/.ml-
digest=5d72cd8232d21606
installer=uv
interpreter=/var/cache/phoenix/downloads/6a9e62dad033790aef722dbd370e0ce76ce17b73627ba3ae679f537049350b39
uv=/var/cache/phoenix/downloads/d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19
note=/var/lib/phoenix/made/python_environment/opt-ml
downloads=${interpreter%/*}

refuse() {
    printf '%s\n' "$1: what was there is as before" >&2
    exit 1
}
# emptied FOLDER: removes what is in it and the folder, and nothing that is mounted there
emptied() {
    [ ! -e "$1" ] || find "$1" -xdev -depth -delete
}
# used BUILD: whether a program runs that came out of it
used() {
    grep -qsF "$1/" /proc/[0-9]*/maps
}
tidy() {
    for build in "$builds"*; do
        case ${build#"$builds"} in *[!0-9a-f]*) continue ;; esac
        if [ "$build" != "$current" ] && [ -d "$build" ] && ! used "$build"; then
            emptied "$build"
            printf '%s\n' "removed $build"
        fi
    done
}

current=
if [ -h "$path" ]; then
    current=$(readlink "$path")
    current=${current%/env}
    case $current in
    "$builds"*) ;;
    *) refuse "$path is somebody else's link" ;;
    esac
elif [ -e "$path" ]; then
    refuse "$path is not ours"
fi
if [ "${1-}" = tidy ]; then
    tidy
    exit 0
fi

[ -e "$interpreter" ] || refuse "$interpreter is not here: only phoenix brings it"
build=$builds$digest
[ "$build" != "$current" ] || build=${build}b
umask 022
emptied "$build"
trap 'emptied "$build"' EXIT
mkdir -p "$build/wheels" "$(dirname "$note")"
# The note comes first: cut in between, it names what is not there yet, which harms nothing.
printf '%s\n' "$path" >"$note"
tar -xzf "$interpreter" -C "$build"
python=$build/python/bin/python3
"$python" -m venv --without-pip "$build/env"
for row in c66ae634e0b8228396b801741beb3294326d4b6102f7bba4041c0dfb58c29026/anyio-4.16.0-py3-none-any.whl fdc8b074db390fccb6eb4a3604ae7231f219aa669a2652e0f20e16ba513d5741/argon2_cffi-25.1.0-py3-none-any.whl 2d475baecbcb506e40ab1cb05a84c9cc913a8950061a4045fd0ec0eb54aa7fa2/argon2_cffi_bindings-26.2.0-cp310-abi3-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl 749f0769958ebdc79c173ff0b0670d59051a535fa26e8eba02953dc19eb43205/arrow-1.4.0-py3-none-any.whl 9da13157f5b28becde0bd374fc677dcd3c290614264eff096f167c469cd9f933/asttokens-3.0.2-py3-none-any.whl 1b46a96419ef91fe11431d58db98d792c9b4250001427191a40faf1031934212/async_lru-2.4.0-py3-none-any.whl c647aa4a12dfbad9333ca4e71fe62ddc36f4e63b2d260a37a8b83d2f043ac309/attrs-26.1.0-py3-none-any.whl e2b422b277c2b9a9630c1d7903c2a00d0830c409c59ac8cae9081c92f1aeba35/babel-2.18.0-py3-none-any.whl d6f88de62e1d4e38ecb1077eb9724cd0eff29d2a08ca16a401e9b9e93f117cf9/beautifulsoup4-4.15.0-py3-none-any.whl 4b6b6a54fff2e69a3dde9d21cc6301220bee3c3cb792187d11403fd795031081/bleach-6.4.0-py3-none-any.whl 73191c47aaa79da394e8fee2dbc2ec827432cab56311122c9e47abf79e390f62/certifi-2026.10.18-py3-none-any.whl c1453022f490d2459a11819d83ad1d586e9ff65a12ac3e705ffebd46d3685dcf/cffi-2.1.1-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl 3d31298449090ab8d47b7b1b2a555ff73cac7ed438a08b7ac160980c7ebed649/charset_normalizer-3.5.2-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl c615d91d75f7f04f095b30d1c1711babd43bdc6419c1be9886a85f2f4e489417/comm-0.2.3-py3-none-any.whl a9e9d3550e15ca479c59333e90845029190531f0cacfedab3b815a57bd913947/debugpy-1.8.22-py2.py3-none-any.whl a352e7e428770286cc899e2542b6cdaedb2b4953ff269a210103ec58f6198a61/defusedxml-0.7.1-py2.py3-none-any.whl 736e859c9f8701f11fcf516856f26f562e04776387824b43a35a1dfe21c84122/executing-2.3.0-py3-none-any.whl f670b443830b75aca3f00b75949efa20f4b2a80302ec7a21505c28dd54cffd43/fastjsonschema-2.22.3-py3-none-any.whl 020e229e4bb9d410fc799c07ddf45fa217cba970278f40b30751d94f309b69e2/filelock-4.2.11-py3-none-any.whl 6c793c312ccfa29981e1135b3ef5e1277ebe639731a6b0f7350d90e96e63f0b4/fqdn-1.6.0-py3-none-any.whl 8dd6e646e99ea382bd85f97a45e6b526a442d79423a7dc673f1e2756d05fcb5f/fsspec-2026.9.0-py3-none-any.whl 63cf8bbe7522de3bf65932fda1d9c2772064ffb3dae62d55932da54b31cb6c86/h11-0.16.0-py3-none-any.whl 2d400746a40668fc9dec9810239072b40b4484b640a8c38fd654a024c7a1bf55/httpcore-1.0.9-py3-none-any.whl d909fcccc110f8c7faf814ca82a9a4d816bc5a6dbfea25d6591d6985b8ba59ad/httpx-0.28.1-py3-none-any.whl ab7ae7122974553370f0bdb919e1a960b2cd1bc1ef0276416d896db81c14582c/idna-3.20-py3-none-any.whl a6757f790ddc5a6006b813d82da1a9dbb65b3a00f2b6607df776418c6566ec1c/ipykernel-7.4.0-py3-none-any.whl 997ce9140d374531a61069c70c0f9ef299d6dd3559ea0f94b8af589726e3c1d5/ipython-9.18.1-py3-none-any.whl a9462224a505ade19a605f71f8fa63c2048833ce50abc86768a0d81d876dc81c/ipython_pygments_lexers-1.1.1-py3-none-any.whl b2904c2a4228c3d44f409c8ae8e2370eb21a26f7ac2ec5446df141dde3452042/isoduration-20.11.0-py3-none-any.whl 0fb16d86c4a4c73c37ba518c77419975e30fcc620658a8d14fbb5720cdd34142/jedi-0.20.1-py2.py3-none-any.whl 85ece4451f492d0c13c5dd7c13a64681a86afae63a5f347908daf103ce6d2f67/jinja2-3.1.6-py3-none-any.whl 2c8b22a893c35cd6a3c5ccbf1dd1c7d02c25dc1b5897fea658f9bf08c2e05f9a/json5-0.17.3-py3-none-any.whl 89f391335ee2719ae72149e1bf30a4d4c7c5d92f15a3f53faa8d20cc7c6c7f19/jsonpointer-3.12-py3-none-any.whl d489f15263b8d200f8387e64b4c3a75f06629559fb73deb8fdfb525f2dab50ce/jsonschema-4.26.0-py3-none-any.whl 98802fee3a11ee76ecaca44429fda8a41bff98b00a0f2838151b113f210cc6fe/jsonschema_specifications-2025.9.1-py3-none-any.whl 87148399852377bea07ca77660e497b387c365558d187673eeacd583cfd6cf95/jupyter_builder-1.3.0-py3-none-any.whl 5f73f24f22fa25192cfff6b23c051932a2473a797b05734aff495b392103e14e/jupyter_client-8.10.0-py3-none-any.whl ebf87fdc6073d142e114c72c9e29a9d7ca03fad818c5d300ce2adc1fb0743407/jupyter_core-5.9.1-py3-none-any.whl c366585253f537a627da52fa7ca7410c5b5301fe893f511e7b077c2d93ec8bcf/jupyter_events-0.12.1-py3-none-any.whl 71b954d834e85ff3096400554f2eefaf7fe37053036f9a782b0f7c5e42dadb81/jupyter_lsp-2.3.1-py3-none-any.whl 2a6467606af7dbae2e7e31640030025969e15db6a649eae334af90415dc71dca/jupyter_server-2.21.1-py3-none-any.whl 55be353fc74a80bc7f3b20e6be50a55a61cd525626f578dcb66a5708e2007d14/jupyter_server_terminals-0.5.4-py3-none-any.whl 4261910ccf1ecad6e0b3ca0debe96d4fde9735bfc9707509c125aab850e06b81/jupyterlab-4.6.6-py3-none-any.whl 841a89020971da1d8693f1a99997aefc5dc424bb1b251fd6322462a1b8842780/jupyterlab_pygments-0.3.0-py3-none-any.whl 4bd36c7c11d872e15cefa4951e12380a47e6901687165332dd50a007cb367ad9/jupyterlab_server-2.28.1-py3-none-any.whl c629b661023a014c37da873b4ff58a817398d12635d3bbb2c5a03be7fe5d1e12/lark-1.3.1-py3-none-any.whl 8e124f974786f831d6043728e38296969d3579db8896fe004682f5758e613581/markupsafe-3.0.4-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl 3c821cf1c209f59fb2d2d64abbf5b23b67bcb2210d663f9918dd851c6da1fcf6/matplotlib_inline-0.2.2-py3-none-any.whl d03cec4c8620f21517a996d82d14f3b59c30d79bda2cc6c56bd32b839f18ce6b/mistune-3.4.0-py3-none-any.whl a0b2b9fe80bbcd81a6647ff13108738cfb482d481d826cc0e02f5b35e5c88d2c/mpmath-1.3.0-py3-none-any.whl ef7fa0d59d6e1d41103933d8a445a18d5de860ca6b613b87b8574accdb3c2895/nbclient-0.11.0-py3-none-any.whl 6a143c11c00bf831604da4b1be4347d36ea52367057eb920135d69bc2862fed2/nbconvert-7.17.2-py3-none-any.whl cc6698fa75f4fab8755ead786317815f13a6fee3b53311c0abb1a8b51d52f7ec/nbformat-5.11.1-py3-none-any.whl 86e77b52c3d1496b294af3c944b44213b9b82a12a5ee590c0acc4ca4692ef6c7/nest_asyncio2-1.7.4-py3-none-any.whl e3fd2c13a7814cee3746340d8d7f8598a67f16a58bf47fb7f8793fab6efca1b0/networkx-3.7-py3-none-any.whl 411a5be4e9dc882a074ccbcae671eda64cceb068767e9a3419096986560e1cef/notebook_shim-0.2.4-py3-none-any.whl 8ac4e771d5a348c551b2a426eda6193c19aa630236b418086020df5ba9667142/nvidia_cublas_cu12-12.8.4.1-py3-none-manylinux_2_27_x86_64.whl ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182/nvidia_cuda_cupti_cu12-12.8.90-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl a7756528852ef889772a84c6cd89d41dfa74667e24cca16bb31f8f061e3e9994/nvidia_cuda_nvrtc_cu12-12.8.93-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl adade8dcbd0edf427b7204d480d6066d33902cab2a4707dcfc48a2d0fd44ab90/nvidia_cuda_runtime_cu12-12.8.90-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl 949452be657fa16687d0930933f032835951ef0892b37d2d53824d1a84dc97a8/nvidia_cudnn_cu12-9.10.2.21-py3-none-manylinux_2_27_x86_64.whl 4d2dd21ec0b88cf61b62e6b43564355e5222e4a3fb394cac0db101f2dd0d4f74/nvidia_cufft_cu12-11.3.3.83-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl 1d069003be650e131b21c932ec3d8969c1715379251f8d23a1860554b1cb24fc/nvidia_cufile_cu12-1.13.1.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl b32331d4f4df5d6eefa0554c565b626c7216f87a06a4f56fab27c3b68a830ec9/nvidia_curand_cu12-10.3.9.90-py3-none-manylinux_2_27_x86_64.whl 4376c11ad263152bd50ea295c05370360776f8c3427b30991df774f9fb26c450/nvidia_cusolver_cu12-11.7.3.90-py3-none-manylinux_2_27_x86_64.whl 1ec05d76bbbd8b61b06a80e1eaf8cf4959c3d4ce8e711b65ebd0443bb0ebb13b/nvidia_cusparse_cu12-12.5.8.93-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl f1bb701d6b930d5a7cea44c19ceb973311500847f81b634d802b7b539dc55623/nvidia_cusparselt_cu12-0.7.1-py3-none-manylinux2014_x86_64.whl adf27ccf4238253e0b826bce3ff5fa532d65fc42322c8bfdfaf28024c0fbe039/nvidia_nccl_cu12-2.27.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl 81ff63371a7ebd6e6451970684f916be2eab07321b73c9d244dc2b4da7f73b88/nvidia_nvjitlink_cu12-12.8.93-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl 5b17e2001cc0d751a5bc2c6ec6d26ad95913324a4adb86788c944f8ce9ba441f/nvidia_nvtx_cu12-12.8.90-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl d7193f7c8e4e93f444fde0262bf90af30e16fa0ad0ad44cb553c87339b23cd1c/packaging-26.3-py3-none-any.whl 93be382804a9cdb0a7267585f157e5d1731bbe5545a85b268d6f5fe6232de2bc/pandocfilters-1.5.1-py2.py3-none-any.whl a8926eb2a1b915486941fdbd31e86a4baf88fe8c210f25f2f35ecec5b574ca1c/parso-0.8.7-py2.py3-none-any.whl 7236d1e080e4936be2dc3e326cec0af72acf9212a7e1d060210e70a47e253523/pexpect-4.9.0-py2.py3-none-any.whl 391513b74707c42335fff3ea17eaac657a7ee9ffcadd809634d34ea594d0122c/platformdirs-4.14.7-py3-none-any.whl fa93d06737aa02bacd05794768508bb97d2fbee28cb3bca04eaae92f0ca953d6/prometheus_client-0.26.0-py3-none-any.whl 01c0891d7f9237d5e339f7d3e42cdae80b7534abb1c7c0e3352efba6231492f2/prompt_toolkit-3.0.53-py3-none-any.whl 076a2d2f923fd4821644f5ba89f059523da90dc9014e85f8e45a5774ca5bc6f9/psutil-7.2.2-cp36-abi3-manylinux2010_x86_64.manylinux_2_12_x86_64.manylinux_2_28_x86_64.whl 4b41f3967fce3af57cc7e94b888626c18bf37a083e3651ca8feeb66d492fef35/ptyprocess-0.7.0-py2.py3-none-any.whl 96cae060a313cfaad51bb761278bfb0e62dc0248d9315a81173752dc546cd37a/pure_eval-0.2.4-py3-none-any.whl a076f3f489b39b43ed13563a1dafe42447445bec2e294154ec5c57fcdda4c85e/pycparser-3.12-py3-none-any.whl 2363c69b61c4a97c838da3b130dcd6468f4848992b21a82f2a63ec34377137d9/pygments-2.21.0-py3-none-any.whl a5e246f79eb80475e691bf93862cead98decd8a498cf53ba0516fcdc0f50dc1c/python_dateutil-4.0.0-py3-none-any.whl 158a52126fcd6869e09574d2b66272666f3dc8f468c62637ef9a1fa883719cb9/python_json_logger-4.2.0-py3-none-any.whl ba1cc08a7ccde2d2ec775841541641e4548226580ab850948cbfda66a1befcdc/pyyaml-6.0.3-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl 858fe25231e0fd8612da142efde019faa5ef63fa150a821a27870e791b38c798/pyzmq-27.3.0-cp312-abi3-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl 381329a9f99628c9069361716891d34ad94af76e461dcb0335825aecc7692231/referencing-0.37.0-py3-none-any.whl 2a0d60c172f83ac6ab31e4554906c0f3b3588d37b5cb939b1c061f4907e278e0/requests-2.34.2-py3-none-any.whl 24f6ec1eda14ef823da9e36ec7113124b39c04d50a4d3d3a3c2859577e7791fa/rfc3339_validator-0.1.4-py2.py3-none-any.whl 2f235c432ef459970b4306369336b9d5dbdda31b510ca1e327636e01f528bfa9/rfc3986_validator-0.1.1-py2.py3-none-any.whl 6c3d97604e4c5ce9f714898e05401a0445a641cfa276432b0a648c80856f6a3f/rfc3987_syntax-1.1.0-py3-none-any.whl addeda51556dac7c1a2f14cda62db8b621cd12afba3091d03a96c72932387eab/rpds_py-2026.9.1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl 7f540296d59744fbf2f88b0d6f3a484af78c94d3c20e0875a4d5eed61aef037c/send2trash-2.2.0-py3-none-any.whl ca140b45d5325a9478f880e351484f62fef15f336462e449ca0c03c873d589c2/setuptools-84.2.1-py3-none-any.whl 4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274/six-1.17.0-py2.py3-none-any.whl 96b4115212a3abee1f572d62da706cca090b088cb5effa278db5702122e63a2c/soupsieve-4.1.2-py3-none-any.whl d5558e0c25a4cb0853cddad3d77da9891a08cb85dd9f9f91b9f8cd66e511e695/stack_data-0.6.3-py3-none-any.whl e091cc3e99d2141a0ba2847328f5479b05d94a6635cb96148ccb3f34671bd8f5/sympy-1.14.0-py3-none-any.whl a4468e1b37bb318f8a86514f65814e1afc977cf29b3992a4500d9dd305dcceb0/terminado-0.18.1-py3-none-any.whl 3415ba0f5839c062696996998176c4a3751d18b7edaaeeb658c9ce21ec150661/tinycss2-1.5.1-py3-none-any.whl b2aca0939fb7e4d842561febbd4ffda67a8e958ff725c1c27e244e85e982173c/torch-2.8.0-cp312-cp312-manylinux_2_28_x86_64.whl 1b6ff57cc69b339f8feb9e7b567b0e0eacb16bfaf234159496623ef7a67ba640/tornado-6.6.1-cp311-abi3-manylinux1_x86_64.manylinux_2_28_x86_64.manylinux_2_5_x86_64.whl f775618166caa0396c8e337099240f2bd3e5e917d203b2e6fbe21a58d3cb1f6b/traitlets-5.16.1-py3-none-any.whl 31c1d84a5c0ec2c0f8e8a072d7fd150cab84a9c239eaddc6706c081bfae4eb04/triton-3.4.0-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl 481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8/typing_extensions-4.16.0-py3-none-any.whl 0a10eec6e13ef16b627fabed9a5f2ba61a62b1c67f327305f4e7e412a70b4aec/tzdata-2026.6-py2.py3-none-any.whl a44a133ea12d44a0c0f06d7d42a52d71282e77e2f937d8abd5655b8d56fc1363/uri_template-1.3.0-py3-none-any.whl 0cf3cae568d36aa9576b28dfb35f11328f1cb974ca7647d9475ebb86c75ac6e3/urllib3-2.8.0-py3-none-any.whl b185c8b927b23af2721be1783499d1cfa5c028b098b0858951b4ae224477f1c2/wcwidth-0.9.4-cp310-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl 032c727334856fc0b968f63daa252a1ac93d33db2f5267756623c210e57a4f1d/webcolors-25.10.0-py3-none-any.whl 7fab6269c8bf237c657876b52058ccb182e861518d1c695c1a9aaa8c1c105d5b/webencodings-0.6.1-py3-none-any.whl e1a673830a9c7bfa47b1cd3d5e4178f4c9651d80a4eab02c9c23a1c3ec6250ce/websocket_client-1.9.2-py3-none-any.whl; do
    ln -s "$downloads/${row%%/*}" "$build/wheels/${row#*/}"
done
if [ "$installer" = uv ]; then
    ln -s "$uv" "$build/uv.whl"
    "$python" -m zipfile -e "$build/uv.whl" "$build/uv"
    uv=$(find "$build/uv" -path '*/scripts/uv')
    chmod 0755 "$uv"
    set -- --no-config --offline --cache-dir "$build/cache"
    "$uv" "$@" pip install --python "$build/env/bin/python" --no-index --no-deps "$build"/wheels/*.whl
    said=$("$uv" "$@" pip check --python "$build/env/bin/python" 2>&1) || {
        printf '%s\n' "$said" >&2
        refuse 'the packages do not fit each other'
    }
else
    set -- --disable-pip-version-check --no-input --python "$build/env/bin/python"
    "$python" -m pip "$@" install -q --no-index --no-deps --no-cache-dir "$build"/wheels/*.whl
    said=$("$python" -m pip "$@" check 2>&1) || {
        printf '%s\n' "$said" >&2
        refuse 'the packages do not fit each other'
    }
fi
for part in wheels uv uv.whl cache; do
    emptied "$build/$part"
done
rm -f "$path.new"
ln -s "$build/env" "$path.new"
sync "$build"
mv -fT "$path.new" "$path"
trap - EXIT
current=$build
printf '%s\n' "built $path out of $(basename "$build")"
tidy
