//! Bindings made from the ABIs in `contracts/abi`, which `cargo xtask bindings` writes from the
//! contracts.

alloy::sol!(
    #[sol(rpc, all_derives)]
    LeaseEscrow,
    "../../contracts/abi/LeaseEscrow.json"
);

alloy::sol!(
    #[sol(rpc, all_derives)]
    Registry,
    "../../contracts/abi/Registry.json"
);

alloy::sol!(
    #[sol(rpc, all_derives)]
    CommitteeOracle,
    "../../contracts/abi/CommitteeOracle.json"
);

alloy::sol!(
    #[sol(rpc, all_derives)]
    DemoToken,
    "../../contracts/abi/DemoToken.json"
);

alloy::sol!(
    #[sol(rpc, all_derives)]
    Directory,
    "../../contracts/abi/Directory.json"
);
