// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {IERC5646} from "contracts/src/interfaces/IERC5646.sol";
import {ERC20} from "solady/tokens/ERC20.sol";

/// @title Holds NFTs for their depositors, as lending markets and NFT pools do
/// @notice It can't move ERC-20 tokens.
contract Vault {
    LeaseEscrow private immutable ESCROW;
    mapping(uint256 => address) private _depositors;

    constructor(LeaseEscrow escrow) {
        ESCROW = escrow;
    }

    function put(uint256 id) external {
        _depositors[id] = msg.sender;
        ESCROW.transferFrom(msg.sender, address(this), id);
    }

    function take(uint256 id) external {
        require(_depositors[id] == msg.sender);
        ESCROW.transferFrom(address(this), msg.sender, id);
    }
}

/// @title Sells NFTs that it holds until they are paid for
/// @notice A buyer pays only while the token's state is that of the listing (ERC-5646).
contract Market {
    struct Listing {
        address seller;
        uint256 price;
        bytes32 fingerprint;
    }

    LeaseEscrow private immutable ESCROW;
    ERC20 private immutable TOKEN;
    mapping(uint256 => Listing) private _listings;

    error TokenHasChanged();

    constructor(LeaseEscrow escrow, ERC20 token) {
        (ESCROW, TOKEN) = (escrow, token);
    }

    function list(uint256 id, uint256 price) external {
        _listings[id] = Listing(msg.sender, price, IERC5646(address(ESCROW)).getStateFingerprint(id));
        ESCROW.transferFrom(msg.sender, address(this), id);
    }

    function buy(uint256 id) external {
        Listing memory listing = _listings[id];
        require(IERC5646(address(ESCROW)).getStateFingerprint(id) == listing.fingerprint, TokenHasChanged());
        require(TOKEN.transferFrom(msg.sender, listing.seller, listing.price));
        ESCROW.transferFrom(address(this), msg.sender, id);
    }

    function takeBack(uint256 id) external {
        require(_listings[id].seller == msg.sender);
        ESCROW.transferFrom(address(this), msg.sender, id);
    }
}
